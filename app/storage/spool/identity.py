"""Which database a spool belongs to: services with different ones may share a data folder."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import Connection, select

from app.storage.db.upserts import make_insert
from app.storage.tables.access import shared_secrets
from app.storage.tables.inbound import messages
from app.storage.tables.operations import daily_counts

_NAME = "database_id"


@dataclass(frozen=True, slots=True)
class Identity:
    """`place` is the database's location from the settings, without any secret.

    `id` is stored in the database and moves with it; None if it was never reached.
    """

    place: str
    id: str | None = None

    def to_bytes(self) -> bytes:
        return json.dumps({"place": self.place, "id": self.id}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Identity":
        fields = json.loads(data)
        return cls(str(fields["place"]), fields["id"])

    def is_same(self, other: "Identity") -> bool:
        """Whether it is the same database: it may have moved, or been created again in the same
        place.
        """
        return self.place == other.place or (self.id is not None and self.id == other.id)


def find_place(url: str, sqlite_path: Path) -> str:
    """The location in DATABASE_URL, as shown to people."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgres"):
        return f"sqlite://{sqlite_path.resolve()}"
    host = parts.netloc.rpartition("@")[2]
    named = dict(parse_qsl(parts.query))
    more = [f"{name}={named[name]}" for name in ("host", "port", "dbname") if name in named]
    return f"postgresql://{host}{parts.path}" + (f"?{'&'.join(more)}" if more else "")


def read_database_id(conn: Connection) -> str:
    """The id of this database, created by the first process that asks."""
    table = shared_secrets
    new = make_insert(conn, table).values(name=_NAME, digest=secrets.token_bytes(16))
    conn.execute(new.on_conflict_do_nothing(index_elements=["name"]))
    digest = conn.execute(select(table.c.digest).where(table.c.name == _NAME)).scalar_one()
    return bytes(digest).hex()


def has_had_messages(conn: Connection) -> bool:
    """Whether it has a message, or counts of messages that were removed for their age."""
    queries = (
        select(messages.c.id),
        select(daily_counts.c.day).where(daily_counts.c.name == "received"),
    )
    return any(conn.execute(query.limit(1)).first() is not None for query in queries)
