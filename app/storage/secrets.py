"""Generated secrets, and the digests by which processes see that they share them."""

import os
import secrets
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from app.domain.access import digest_secret
from app.storage.tables import shared_secrets


def load_or_make_secret(path: Path) -> str:
    """The secret in a file of mode 0600, made on first use by exactly one of many processes.

    The file appears whole or not at all: a temporary one is fsynced and then linked into place.
    """
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # another process was first, and its secret is as good
        finally:
            temporary.unlink()
    return path.read_text().strip()


def register_secret(conn: Connection, name: str, secret: str, *, generated: bool) -> bool:
    """Whether this process has the secret that the others have.

    A secret that somebody set replaces what was registered; a generated one must be the same.
    """
    digest = digest_secret(secret)
    known = conn.execute(
        select(shared_secrets.c.digest).where(shared_secrets.c.name == name)
    ).scalar()
    if known is None:
        conn.execute(insert(shared_secrets).values(name=name, digest=digest))
    elif known != digest:
        if generated:
            return False
        conn.execute(
            update(shared_secrets).where(shared_secrets.c.name == name).values(digest=digest)
        )
    return True
