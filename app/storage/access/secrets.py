"""The digests of generated secrets, by which processes see that they share them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from app.domain.access.credentials import digest_secret
from app.domain.errors import SetupError
from app.storage.db.upserts import make_insert
from app.storage.tables.access import shared_secrets


def register_secrets(
    conn: Connection, secrets: Mapping[str, str], generated: Collection[str]
) -> None:
    """The secrets by their names; raises SetupError where another process generated others."""
    for name, secret in secrets.items():
        if not register_secret(conn, name, secret, generated=name in generated):
            raise SetupError(
                f"another process made its own LETTERBOX_{name.upper()}: set the same one for"
                f" all of them, or let them share DATA_DIR"
            )


def register_secret(conn: Connection, name: str, secret: str, *, generated: bool) -> bool:
    """Whether this process has the secret that the others have.

    A secret that somebody set replaces what was registered; a generated one must be the same.
    """
    digest = digest_secret(secret)
    # Processes that start together find nothing there, all of them.
    first = make_insert(conn, shared_secrets).values(name=name, digest=digest)
    conn.execute(first.on_conflict_do_nothing(index_elements=["name"]))
    known = conn.execute(
        select(shared_secrets.c.digest).where(shared_secrets.c.name == name)
    ).scalar_one()
    if known != digest:
        if generated:
            return False
        conn.execute(
            update(shared_secrets).where(shared_secrets.c.name == name).values(digest=digest)
        )
    return True


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret that all processes share by way of the database; `sealed` needs the API key."""

    digest: bytes
    sealed: bytes


def read_sealed(conn: Connection, name: str) -> SealedSecret | None:
    table = shared_secrets.c
    query = select(table.digest, table.sealed).where(table.name == name, table.sealed.is_not(None))
    row = conn.execute(query).first()
    return None if row is None else SealedSecret(*row)


def keep_sealed(
    conn: Connection, name: str, new: SealedSecret, *, instead_of: SealedSecret | None = None
) -> SealedSecret:
    """Keep a secret, unless another process has changed it meanwhile; returns what is kept."""
    statement = make_insert(conn, shared_secrets).values(
        name=name, digest=new.digest, sealed=new.sealed
    )
    if instead_of is None:
        conn.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
    else:
        same = (shared_secrets.c.name == name) & (shared_secrets.c.sealed == instead_of.sealed)
        changed = update(shared_secrets).where(same)
        conn.execute(changed.values(digest=new.digest, sealed=new.sealed))
    return SealedSecret(
        *conn.execute(
            select(shared_secrets.c.digest, shared_secrets.c.sealed).where(
                shared_secrets.c.name == name
            )
        ).one()
    )
