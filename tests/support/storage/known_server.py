"""What connections to the tests' server ask at their start, asked once: each test makes several."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from asyncpg.connection import Connection

from app.storage.db.postgres.connector import Connector
from app.storage.db.postgres.pooled import PooledConnection

# Below are PostgreSQL's own types, which are the same in every database.
FIRST_OID_OF_OTHERS = 16384

_introspect: Any = Connection._introspect_types
_finds_pooler: Any = Connector._finds_pooler
_types: dict[frozenset[int], Any] = {}
_is_direct: dict[int, bool] = {}


def remember(port: int) -> None:
    """There is no pooler in front of this server, once that has been found out."""
    _is_direct[port] = False
    Connector._finds_pooler = _finds_pooler_once  # type: ignore[method-assign]
    Connection._introspect_types = _introspect_once


async def _finds_pooler_once(self: Connector, dsn: str) -> bool:
    port = urlsplit(dsn).port
    if port is not None and _is_direct.get(port):
        return False
    found = bool(await _finds_pooler(self, dsn))
    if port in _is_direct:
        _is_direct[port] = not found
    return found


async def _introspect_once(self: Any, oids: set[int], seconds: float) -> tuple[Any, Any]:
    key = frozenset(oids)
    if isinstance(self, PooledConnection) or max(key) >= FIRST_OID_OF_OTHERS:
        return await _introspect(self, oids, seconds)  # type: ignore[no-any-return]
    if key not in _types:
        _types[key], statement = await _introspect(self, oids, seconds)
        return _types[key], statement
    # A name, because nothing has displaced the statement that is being prepared.
    return _types[key], SimpleNamespace(name="none")
