"""Checks what the provider would refuse, or advises against, before a call is made."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from app.domain.errors import InvalidInput
from app.domain.outbound.gsm import (
    LONGEST_ALPHANUMERIC_SOURCE,
    LONGEST_BODY,
    OUTSIDE_GSM,
    measure_text,
)
from app.domain.outbound.requests import OutgoingText, SourceTon
from app.domain.outbound.states import LONGEST_VALIDITY_SECONDS
from app.provider.actions import NewContact, NewUser

# 459 characters of the plain GSM alphabet are three parts; the provider says nothing of more.
PLAIN_PARTS = 3

_NUMBER = re.compile(r"[0-9]{1,20}")
_NUMERIC_SOURCE = re.compile(r"\+?[0-9]+")
_ADVISED_SOURCE = re.compile(r"[A-Za-z0-9 ]+")
_PLAIN_WORD = re.compile(r"[0-9A-Za-z_-]{1,64}")


def check_text(text: OutgoingText) -> None:
    """Raise InvalidInput, with the field, for what the provider would refuse as malformed."""
    check_body(text.body)
    check_sending(text)


def check_sending(text: OutgoingText) -> None:
    """The same for everything but the body."""
    check_source(text.source, text.source_ton)
    if not 1 <= text.validity_seconds <= LONGEST_VALIDITY_SECONDS:
        raise InvalidInput(
            f"validity_seconds is {text.validity_seconds};"
            f" the provider takes 1 to {LONGEST_VALIDITY_SECONDS}",
            field="validity_seconds",
        )


def check_body(body: str) -> None:
    """A body has 1 to 459 characters (code points) and is not all blank."""
    if not body.strip():
        raise InvalidInput("The text is blank", field="body")
    if len(body) > LONGEST_BODY:
        raise InvalidInput(
            f"The text has {len(body)} characters; the provider takes at most {LONGEST_BODY}",
            field="body",
        )


def check_source(source: str, ton: int | None) -> None:
    """A source is a number, or at most 11 characters of the GSM alphabet."""
    if not source.strip():
        raise InvalidInput("The source is blank", field="source")
    if _NUMERIC_SOURCE.fullmatch(source) and ton != SourceTon.ALPHANUMERIC:
        return
    if ton == SourceTon.INTERNATIONAL:
        raise InvalidInput(
            f"The source {source!r} is no number, but source_ton says international", field="source"
        )
    if len(source) > LONGEST_ALPHANUMERIC_SOURCE:
        raise InvalidInput(
            f"The source {source!r} has {len(source)} characters; one that is not a number has"
            f" at most {LONGEST_ALPHANUMERIC_SOURCE}",
            field="source",
        )
    if outside := OUTSIDE_GSM.search(source):
        raise InvalidInput(
            f"The source {source!r} has {outside.group()!r}, which the GSM alphabet lacks",
            field="source",
        )


def check_numbers(numbers: Sequence[str]) -> None:
    """Numbers are digits only, each given once so that the answers can be told apart."""
    if not numbers:
        raise InvalidInput("There is no number to send to", field="to")
    for number in numbers:
        if not _NUMBER.fullmatch(number):
            raise InvalidInput(f"{number!r} is no number: digits alone, without +", field="to")
    if len(set(numbers)) != len(numbers):
        raise InvalidInput("A number stands twice in one call", field="to")


def check_name(name: str, field: str) -> None:
    """The name of a list, group or user."""
    if not name.strip():
        raise InvalidInput(f"{field} is blank", field=field)


def check_word(word: str, field: str) -> None:
    """An id or a report type: letters, digits, hyphens and underscores."""
    if not _PLAIN_WORD.fullmatch(word):
        raise InvalidInput(f"{word!r} cannot be a {field}", field=field)


def check_contacts(contacts: Sequence[NewContact]) -> None:
    """Each contact must be one line, so that the results can be told apart."""
    if not contacts:
        raise InvalidInput("There is no contact to import", field="contacts")
    for line, contact in enumerate(contacts, 1):
        cells = (contact.name, contact.number, contact.email, *contact.groups)
        if any("\n" in cell or "\r" in cell for cell in cells):
            raise InvalidInput(f"Contact {line} has a line break", field="contacts")


def check_user(user: NewUser) -> None:
    """All mandatory fields are filled in, and the amounts are valid."""
    for field in ("username", "password", "first_name", "last_name", "email"):
        check_name(getattr(user, field), field)
    check_amount(user.credits, "credits")
    if user.credits < 0:
        raise InvalidInput("credits are below 0", field="credits")


def check_amount(amount: Decimal, field: str) -> None:
    """A finite number."""
    if not amount.is_finite():
        raise InvalidInput(f"{field} is {amount}, no amount", field=field)


def check_encodable(values: Iterable[str]) -> None:
    """Half a surrogate pair cannot be encoded as UTF-8."""
    for value in values:
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise InvalidInput("Half a surrogate pair cannot be sent")


def find_warnings(text: OutgoingText) -> list[str]:
    """What may surprise the sender of a text that the provider takes."""
    warnings = []
    sms = measure_text(text.body)
    if len(sms.parts) > PLAIN_PARTS:
        cause = f" because of {' '.join(sms.outside)}" if sms.outside else ""
        warnings.append(f"The text takes {len(sms.parts)} parts in {sms.encoding}{cause}")
    if not _NUMERIC_SOURCE.fullmatch(text.source) and not _ADVISED_SOURCE.fullmatch(text.source):
        warnings.append(
            f"The source {text.source!r} has characters other than A-Z, a-z, 0-9 and space:"
            " networks and phones may change or refuse them"
        )
    return warnings
