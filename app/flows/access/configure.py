"""Configures what the owner decides: numbers with their auth values, and API keys.

`who` is their name in the audit trail: every change is recorded in its own transaction.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.domain.access.credentials import SCOPES, Scope, digest_secret
from app.domain.errors import InvalidInput
from app.domain.lengths import LONGEST_NAME, check_length
from app.domain.numbers import check_merge_field_names, read_number
from app.domain.outbound.gsm import LONGEST_BODY
from app.flows.inbound.refused_forwards import REFUSED_FORWARD
from app.storage.access import keys, numbers
from app.storage.access.audit import add_audit
from app.storage.access.keys import ApiKey
from app.storage.access.numbers import Number
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import close_alert

# How long the provider may go on sending the old auth value after a rotation.
OVERLAP = timedelta(days=1)
MAX_OVERLAP = timedelta(days=30)
# Tells people, and programs that look for leaked secrets, whose key it is.
KEY_PREFIX = "lbx_"

MakeSecret = Callable[[], str]
CheckNumber = Callable[[Number], None]
CheckKey = Callable[[ApiKey], None]


def make_secret() -> str:
    """256 random bits that are safe in a URL."""
    return secrets.token_urlsafe(32)


def accept(_: object) -> None:
    """The state before a change does not matter."""


@dataclass(frozen=True, slots=True)
class NumberWithAuth:
    """A number and its newest auth value, which is not stored."""

    number: Number
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyWithSecret:
    """A key's row and the key itself, which is not stored."""

    key: ApiKey
    secret: str = field(repr=False)


async def add_number(
    database: Database,
    text: str,
    *,
    region: str,
    label: str = "",
    merge_field_names: Mapping[str, str] | None = None,
    opt_out_reply: str | None = None,
    who: str,
    now: datetime,
    make_secret: MakeSecret = make_secret,
) -> NumberWithAuth:
    """Configure a number, written as people write numbers, with its first auth value.

    Raises InvalidInput, and Conflict where it is configured already.
    """
    number = read_number(text, region)
    names = dict(merge_field_names or {})
    value = make_secret()
    fields: dict[str, Any] = {
        "label": label,
        "merge_field_names": names,
        "opt_out_reply": opt_out_reply,
    }
    _check_number(fields)

    def add(conn: Connection) -> Number:
        digest = digest_secret(value)
        added = numbers.add_number(conn, number, **fields, digest=digest, now=now)
        add_audit(conn, who, "number.add", number, fields, now)
        return added

    return NumberWithAuth(await database.write(add), value)


async def change_number(
    database: Database,
    number: str,
    changes: Mapping[str, Any],
    *,
    check: CheckNumber = accept,
    who: str,
    now: datetime,
) -> Number:
    """Set `label`, `merge_field_names` and `opt_out_reply` as far as they are named.

    `check` may object to what the number is before. Raises InvalidInput and NotFound.
    """
    _check_number(changes)

    def change(conn: Connection) -> Number:
        check(numbers.lock_number(conn, number))
        changed = numbers.change_number(conn, number, changes)
        add_audit(conn, who, "number.change", number, changes, now)
        return changed

    return await database.write(change)


async def rotate_auth(
    database: Database,
    number: str,
    *,
    overlap: timedelta = OVERLAP,
    check: CheckNumber = accept,
    who: str,
    now: datetime,
    make_secret: MakeSecret = make_secret,
) -> NumberWithAuth:
    """A new auth value; the one before it stays valid for `overlap`. Raises NotFound."""
    value = make_secret()
    expires_at = now + overlap

    def rotate(conn: Connection) -> Number:
        check(numbers.lock_number(conn, number))
        digest = digest_secret(value)
        rotated = numbers.rotate_auth(conn, number, digest=digest, now=now, expires_at=expires_at)
        ends_at = {"old_ends_at": expires_at.isoformat()}
        add_audit(conn, who, "number.rotate-auth", number, ends_at, now)
        return rotated

    return NumberWithAuth(await database.write(rotate), value)


async def remove_number(
    database: Database, number: str, *, check: CheckNumber = accept, who: str, now: datetime
) -> None:
    """Removes its auth values as well; its messages stay. Raises NotFound."""

    def remove(conn: Connection) -> None:
        check(numbers.lock_number(conn, number))
        numbers.remove_number(conn, number)
        close_alert(conn, REFUSED_FORWARD, number, now=now)
        add_audit(conn, who, "number.remove", number, {}, now)

    await database.write(remove)


async def create_key(
    database: Database,
    name: str,
    scopes: Sequence[Scope],
    *,
    who: str,
    now: datetime,
    make_secret: MakeSecret = make_secret,
) -> KeyWithSecret:
    """A key for the REST interface. Raises InvalidInput if it would have no scope."""
    secret = KEY_PREFIX + make_secret()
    check_length("name", name, LONGEST_NAME, least=1)
    wanted = _sort_scopes(scopes)

    def add(conn: Connection) -> ApiKey:
        key = keys.add_key(conn, name, digest=digest_secret(secret), scopes=wanted, now=now)
        fields = {"name": name, "scopes": wanted}
        add_audit(conn, who, "key.create", str(key.id), fields, now)
        return key

    return KeyWithSecret(await database.write(add), secret)


async def change_key(
    database: Database,
    key_id: int,
    *,
    name: str | None = None,
    scopes: Sequence[Scope] | None = None,
    check: CheckKey = accept,
    who: str,
    now: datetime,
) -> ApiKey:
    """Set what is not None; the key itself stays the same. Raises InvalidInput and NotFound."""
    check_length("name", name, LONGEST_NAME, least=1)
    wanted = None if scopes is None else _sort_scopes(scopes)
    changes = {"name": name, "scopes": wanted}
    named = {field: value for field, value in changes.items() if value is not None}

    def change(conn: Connection) -> ApiKey:
        check(keys.lock_key(conn, key_id))
        changed = keys.change_key(conn, key_id, name=name, scopes=wanted)
        add_audit(conn, who, "key.change", str(key_id), named, now)
        return changed

    return await database.write(change)


async def revoke_key(
    database: Database, key_id: int, *, check: CheckKey = accept, who: str, now: datetime
) -> None:
    """No request with it is answered from now on. Raises NotFound."""

    def revoke(conn: Connection) -> None:
        key = keys.lock_key(conn, key_id)
        check(key)
        keys.remove_key(conn, key_id)
        add_audit(conn, who, "key.revoke", str(key_id), {"name": key.name}, now)

    await database.write(revoke)


def _check_number(fields: Mapping[str, Any]) -> None:
    check_merge_field_names(fields.get("merge_field_names", {}))
    check_length("label", fields.get("label"), LONGEST_NAME)
    check_length("opt_out_reply", fields.get("opt_out_reply"), LONGEST_BODY)


def _sort_scopes(scopes: Sequence[Scope]) -> list[Scope]:
    if not scopes:
        raise InvalidInput("choose at least one permission", field="scopes")
    return [scope for scope in SCOPES if scope in scopes]
