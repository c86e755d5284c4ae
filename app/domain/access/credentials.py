"""Secrets and what they open: digests, scopes, and the auth values that a forward may carry."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self, get_args

Scope = Literal["messages:read", "messages:send", "rules:write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


def digest_secret(secret: str | bytes) -> bytes:
    """SHA-256: the secrets are long and random, so a slow hash would only slow us."""
    data = secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
    return hashlib.sha256(data).digest()


def prove_password(token: str, password: str) -> bytes:
    """What shows that a session was opened by this password, to whoever has the session's token.

    The token is long, random and kept by the browser alone: without it nobody who reads the proof
    can try passwords on it, so no slow hash is needed here either.
    """
    key, data = (each.encode("utf-8", "surrogatepass") for each in (token, password))
    return hmac.digest(key, data, "sha256")


class Actor(str):
    """Who does something, as named in the audit trail, and their address."""

    __slots__ = ("address",)
    address: str

    def __new__(cls, name: str, address: str = "") -> Self:
        actor = super().__new__(cls, name)
        actor.address = address
        return actor


@dataclass(frozen=True, slots=True)
class AuthValue:
    """One live `auth` value. `number` is None for INBOUND_AUTH, which serves every number."""

    id: int | None
    number: str | None
    digest: bytes
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Admission:
    """Which auth values and numbers are known, as read at one moment (`revision`)."""

    revision: int
    numbers: frozenset[str]
    values: dict[bytes, AuthValue] = field(repr=False)

    def recognise(self, secret: bytes, now: datetime) -> AuthValue | None:
        """The active value that matches, whichever number it serves.

        Looked up by digest, so that timing reveals nothing useful about a value.
        """
        value = self.values.get(digest_secret(secret))
        if value is None:
            return None
        if value.expires_at is not None and value.expires_at <= now:
            return None
        return value

    def serves(self, value: AuthValue, dest: str) -> bool:
        """A number's own value is not valid for another known number."""
        return value.number is None or value.number == dest or dest not in self.numbers

    def is_unknown_number(self, dest: str) -> bool:
        """Whether numbers are configured and this is none of them."""
        return bool(self.numbers) and dest not in self.numbers
