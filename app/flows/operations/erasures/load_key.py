"""Loads the key of the digests of erased numbers, or makes it.

Processes on several machines share it by way of the database, where it is sealed with the API key;
DATA_DIR has it as well, so that it outlives a change of the API key.
"""

import secrets

from app.domain.access.credentials import digest_secret
from app.domain.access.sealing import Sealer
from app.domain.errors import SetupError, Unreadable
from app.storage.access.secrets import SealedSecret, keep_sealed, read_sealed
from app.storage.data_dir import DataDir
from app.storage.db.database import Connection, Database
from app.storage.operations.erasures.tombstones import has_digests

NAME = "erasure_key"
LOST = (
    "the key by which erased numbers are known cannot be read: LETTERBOX_API_KEY has changed, and"
    " DATA_DIR has no erasure_key; set the former LETTERBOX_API_KEY once, or copy the file from"
    " another process's DATA_DIR or from a backup"
)


async def load_key(database: Database, data_dir: DataDir, api_key: str) -> None:
    """Give the database its key, made on first use. Raises SetupError where it is lost."""
    sealer, own = Sealer(api_key), data_dir.find_secret(NAME)
    kept = await database.read(read_sealed, NAME)
    if kept is None:
        new = own or secrets.token_urlsafe(32)
        kept = await database.write(keep_sealed, NAME, _seal(sealer, new))
    secret = _open(sealer, kept, own)
    if secret is None:
        secret = await database.write(_replace, sealer, kept, own)
    data_dir.keep_secret(NAME, secret)
    database.digest_key.key = secret.encode()


async def read_key(database: Database, data_dir: DataDir, api_key: str | None) -> None:
    """The same for a command beside the service, which makes none."""
    kept = await database.read(read_sealed, NAME)
    if kept is None:
        return
    api_key = api_key or data_dir.find_secret("api_key")
    secret = _open(Sealer(api_key) if api_key else None, kept, data_dir.find_secret(NAME))
    if secret is not None:
        database.digest_key.key = secret.encode()
    elif await database.read(has_digests):
        raise SetupError(LOST)


def _open(sealer: Sealer | None, kept: SealedSecret, own: str | None) -> str | None:
    try:
        if sealer is not None:
            return sealer.open(kept.sealed)
    except Unreadable:
        pass
    return own if own is not None and digest_secret(own) == kept.digest else None


def _replace(conn: Connection, sealer: Sealer, kept: SealedSecret, own: str | None) -> str:
    """Another key, if nobody needs the one that cannot be read."""
    if has_digests(conn):
        raise SetupError(LOST)
    new = own or secrets.token_urlsafe(32)
    now_kept = keep_sealed(conn, NAME, _seal(sealer, new), instead_of=kept)
    secret = _open(sealer, now_kept, new)
    if secret is None:
        raise SetupError(LOST)
    return secret


def _seal(sealer: Sealer, secret: str) -> SealedSecret:
    return SealedSecret(digest_secret(secret), sealer.seal(secret))
