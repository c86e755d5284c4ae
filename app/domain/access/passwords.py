"""Members' passwords: how long they must be, and their hashes (Argon2id)."""

from functools import cache
from typing import TYPE_CHECKING

from app.domain.errors import InvalidInput

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD = 10
# Hashing reads all of it; a sentence is shorter.
LONGEST_PASSWORD = 200

# OWASP's least for Argon2id, for machines with little memory: 19 MiB, and 30 ms of one core.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1


def check_password(password: str) -> None:
    """Raises InvalidInput for one that could be guessed, or is no password at all."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInput(
            f"choose a password of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
            field="password",
        )
    if len(set(password)) < 4:
        raise InvalidInput("choose a password with more different characters", field="password")


def hash_password(password: str) -> str:
    """As `is_password` takes it; it names its parameters and has a salt of its own."""
    return _get_hasher().hash(_encode(password))


def is_password(kept: str | None, given: str) -> bool:
    """Whether it is the password of that hash.

    Takes as long where there is no hash, so that nobody learns which names have a password.
    """
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 as below

    try:
        _get_hasher().verify(kept or _make_decoy(), _encode(given[: LONGEST_PASSWORD + 1]))
    except (InvalidHashError, VerificationError):
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _get_hasher().check_needs_rehash(kept)


@cache
def _get_hasher() -> "PasswordHasher":
    # Imported when somebody signs in: most processes never need it.
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


@cache
def _make_decoy() -> str:
    return hash_password("nobody's password")


def _encode(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
