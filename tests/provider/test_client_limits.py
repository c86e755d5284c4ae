"""What is refused before any call, with words that say what is wrong."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.errors import InvalidInput
from app.domain.outbound.requests import OutgoingText, SourceTon
from app.provider.actions import AccessLevel, NewContact, NewUser
from app.provider.client import ProviderClient
from app.provider.limits import find_warnings
from tests.support.endpoints.wire_server import answer
from tests.support.provider import LONDON, calling

ONE, TWO = "447700900001", "447700900002"
EMOJI = "\N{GRINNING FACE}"
AT = datetime(2026, 6, 1, tzinfo=UTC)
HELLO = OutgoingText("API", "Hello")


def _text(**changes: Any) -> OutgoingText:
    return OutgoingText(**{"source": "API", "body": "Hello", **changes})


def _user(**changes: Any) -> NewUser:
    fields = {
        "username": "anna",
        "password": "secret",
        "access_level": AccessLevel.NORMAL,
        "first_name": "Anna",
        "last_name": "Og",
        "email": "anna@example.com",
        "credits": Decimal(1),
    }
    return NewUser(**{**fields, **changes})


REFUSED_TEXTS = {
    "460 characters": (_text(body="a" * 460), "body", "460 characters.* at most 459"),
    "460 emoji": (_text(body=EMOJI * 460), "body", "460 characters"),
    "no text": (_text(body=""), "body", "blank"),
    "spaces": (_text(body=" \n"), "body", "blank"),
    "half a pair": (_text(body="\ud83d"), None, "surrogate"),
    "no source": (_text(source=" "), "source", "blank"),
    "12 letters": (_text(source="Twelve chars"), "source", "12 characters.* at most 11"),
    "number as letters": (
        _text(source="447700900123", source_ton=SourceTon.ALPHANUMERIC),
        "source",
        "12 characters",
    ),
    "letters as number": (
        _text(source="API", source_ton=SourceTon.INTERNATIONAL),
        "source",
        "no number",
    ),
    "source not in GSM": (_text(source="Café ê"), "source", "'ê', which the GSM alphabet lacks"),
    "validity 0": (_text(validity_seconds=0), "validity_seconds", "is 0.* 1 to 86400"),
    "validity a day and a second": (
        _text(validity_seconds=86401),
        "validity_seconds",
        "is 86401",
    ),
    "schedule without a zone": (
        _text(schedule_at=AT.replace(tzinfo=None)),
        "schedule_at",
        "needs a zone",
    ),
    "schedule in the hour that spring skips": (
        _text(schedule_at=datetime(2026, 3, 29, 1, 30, tzinfo=LONDON)),
        "schedule_at",
        "2026-03-29 01:30 does not exist",
    ),
    "schedule in the hour that spring skips elsewhere": (
        _text(schedule_at=datetime(2026, 3, 8, 2, 30, tzinfo=ZoneInfo("America/New_York"))),
        "schedule_at",
        "2026-03-08 02:30 does not exist",
    ),
    "schedule in the first of the hours that autumn repeats": (
        _text(schedule_at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        "schedule_at",
        "2026-10-25 01:30 comes twice in Europe/London",
    ),
    "schedule in the second of them": (
        _text(schedule_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        "schedule_at",
        "2026-10-25 01:30 comes twice",
    ),
}

Call = Callable[[ProviderClient], Awaitable[Any]]
REFUSED_CALLS: dict[str, tuple[Call, str | None, str]] = {
    "no number": (lambda c: c.send_many(HELLO, []), "to", "no number"),
    "number with a plus": (lambda c: c.send(HELLO, "+" + ONE), "to", "digits alone"),
    "two numbers in one": (lambda c: c.send(HELLO, f"{ONE},{TWO}"), "to", "digits alone"),
    "digits of another script": (lambda c: c.send(HELLO, "٤٤٧٧"), "to", "digits alone"),
    "word that means a list": (lambda c: c.send(HELLO, "List"), "to", "digits alone"),
    "number twice": (lambda c: c.send_many(HELLO, [ONE, TWO, ONE]), "to", "twice"),
    "list without a name": (lambda c: c.send_to_named(HELLO, "list", ""), "list", "blank"),
    "group without a name": (lambda c: c.send_to_named(HELLO, "group", " "), "group", "blank"),
    "id with a comma": (lambda c: c.check_message_status("1,2"), "message_id", "cannot be"),
    "no id": (lambda c: c.cancel_message(""), "message_id", "cannot be"),
    "no background id": (lambda c: c.get_background_messages(""), "background_id", "cannot be"),
    "user without a password": (
        lambda c: c.create_user(_user(password="")),
        "password",
        "password is blank",
    ),
    "user with credits below 0": (
        lambda c: c.create_user(_user(credits=Decimal("-0.01"))),
        "credits",
        "below 0",
    ),
    "user with endless credits": (
        lambda c: c.create_user(_user(credits=Decimal("Infinity"))),
        "credits",
        "no amount",
    ),
    "no quantity": (lambda c: c.update_credits("anna", Decimal("-0.0")), "quantity", "is 0"),
    "quantity that is none": (
        lambda c: c.update_credits("anna", Decimal("NaN")),
        "quantity",
        "no amount",
    ),
    "credits for nobody": (lambda c: c.update_credits("", Decimal(1)), "username", "blank"),
    "no contact": (lambda c: c.import_contacts([]), "contacts", "no contact"),
    "contact of two lines": (
        lambda c: c.import_contacts([NewContact("A", ONE), NewContact("B\nC", TWO)]),
        "contacts",
        "Contact 2 has a line break",
    ),
    "contact in a group of two lines": (
        lambda c: c.import_contacts([NewContact("A", ONE, groups=("x\ry",))]),
        "contacts",
        "Contact 1",
    ),
    "group of no name to empty": (lambda c: c.empty_group(""), "group", "blank"),
    "group of no name to delete": (lambda c: c.delete_group(""), "group", "blank"),
    "half a pair in a group": (lambda c: c.delete_group("a\udc00"), None, "surrogate"),
}


async def _assert_refused(call: Call, field: str | None, words: str) -> None:
    async with calling(answer("1")) as (client, server):
        with pytest.raises(InvalidInput, match=words) as caught:
            await call(client)

    assert caught.value.field == field
    assert server.connections == 0


@pytest.mark.parametrize("name", REFUSED_TEXTS)
async def test_text_is_refused_before_the_call(name: str) -> None:
    text, field, words = REFUSED_TEXTS[name]
    await _assert_refused(lambda c: c.send(text, ONE), field, words)
    await _assert_refused(lambda c: c.send_many(text, [ONE, TWO]), field, words)
    await _assert_refused(lambda c: c.send_to_named(text, "list", "L"), field, words)


@pytest.mark.parametrize("name", REFUSED_CALLS)
async def test_call_is_refused_before_it_is_made(name: str) -> None:
    await _assert_refused(*REFUSED_CALLS[name])


@pytest.mark.parametrize(
    ("report_type", "since", "until", "field", "words"),
    [
        ("Messages", None, None, "since", "needs both since and until"),
        ("Messages", AT, None, "until", "needs both"),
        ("Outbox", None, AT, "since", "needs both"),
        ("Messages", AT.replace(tzinfo=None), AT, "since", "needs a zone"),
        ("Messages", AT, AT.replace(tzinfo=None), "until", "needs a zone"),
        ("Messages", AT, AT - timedelta(seconds=1), "until", "before the beginning"),
        ("Mess&ages", AT, AT, "report_type", "cannot be"),
        ("", AT, AT, "report_type", "cannot be"),
    ],
)
async def test_report_is_refused_before_it_is_asked_for(
    report_type: str, since: datetime | None, until: datetime | None, field: str, words: str
) -> None:
    async def call(client: ProviderClient) -> None:
        async with client.open_report(report_type, since=since, until=until):
            pass

    await _assert_refused(call, field, words)


@pytest.mark.parametrize(
    "text",
    [
        _text(body="a" * 459),
        _text(body=EMOJI * 459),
        _text(source="Eleven char"),
        _text(source="[brackets]!"),
        _text(source="447700900123", source_ton=SourceTon.INTERNATIONAL),
        _text(source="+447700900123"),
        _text(source="60777"),
        _text(source="12345678901", source_ton=SourceTon.ALPHANUMERIC),
        _text(validity_seconds=1),
        _text(validity_seconds=86400),
        _text(schedule_at=datetime(2026, 10, 25, 2, 0, tzinfo=UTC)),
        _text(schedule_at=datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC)),
        _text(schedule_at=datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
    ],
)
async def test_text_within_the_limits_goes_out(text: OutgoingText) -> None:
    async with calling(answer("1")) as (client, server):
        await client.send(text, ONE)

    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (datetime(2026, 1, 31, 23, 5, 9, tzinfo=UTC), b"20260131230509"),
        (datetime(2026, 7, 1, 23, 30, tzinfo=UTC), b"20260702003000"),
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), b"20261025020000"),
        (datetime(2026, 7, 1, 9, 0, tzinfo=ZoneInfo("Asia/Kolkata")), b"20260701043000"),
    ],
)
async def test_schedule_is_written_in_london_time(at: datetime, written: bytes) -> None:
    async with calling(answer("1")) as (client, server):
        await client.send(_text(schedule_at=at), ONE)

    assert b"&ScheduleDate=" + written + b"&" in server.bodies[0]


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (_text(body="a" * 459), []),
        (_text(body="€" * 230), ["takes 4 parts in GSM-7"]),
        (_text(body="ê" + "a" * 300), ["takes 5 parts in UCS-2 because of ê"]),
        (_text(source="A-Z & co"), ["'A-Z & co' has characters other than A-Z"]),
        (_text(source="+447700900123"), []),
    ],
)
def test_what_may_surprise_is_a_warning(text: OutgoingText, warnings: list[str]) -> None:
    found = find_warnings(text)

    assert len(found) == len(warnings)
    assert all(warning in text for warning, text in zip(warnings, found, strict=True))
