"""The exact bytes that each action sends, written out from the provider's page."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.domain.outbound.requests import OutgoingText, SourceTon
from app.provider.actions import AccessLevel, NewContact, NewUser
from app.provider.client import ProviderClient
from tests.support.endpoints.wire_server import answer
from tests.support.provider import calling

HEAD = b"Token=Tok3n-of.the%2Faccount&Action="
TAIL = b"&ShowErrorMessage=1"
HELLO = OutgoingText("API", "Hello World")
USER = NewUser(
    "anna", "p&ss word", AccessLevel.NORMAL, "Anna", "Óg", "anna@example.com", Decimal("5.50")
)

Call = Callable[[ProviderClient], Awaitable[Any]]

CASES: dict[str, tuple[Call, str, bytes, bytes]] = {
    "credits": (lambda c: c.check_credits(), "12.5", b"CheckCredits", b""),
    "status": (
        lambda c: c.check_message_status("3509592"),
        "Sent",
        b"CheckMessageStatus",
        b"&MessageID=3509592",
    ),
    "one number": (
        lambda c: c.send(HELLO, "447700900001"),
        "3509592",
        b"Send",
        (
            b"&DestinationAddress=447700900001&SourceAddress=API&Body=Hello%20World"
            b"&ValidityPeriod=86400&GetAllMessageIDs=1"
        ),
    ),
    "every optional parameter": (
        lambda c: c.send(
            OutgoingText(
                "447700900123",
                "1 + 1 = 2 & ü€\n😀",
                validity_seconds=60,
                schedule_at=datetime(2026, 7, 1, 11, 30, 15, tzinfo=UTC),
                source_ton=SourceTon.INTERNATIONAL,
            ),
            "447700900001",
        ),
        "1,2",
        b"Send",
        (
            b"&DestinationAddress=447700900001&SourceAddress=447700900123"
            b"&Body=1%20%2B%201%20%3D%202%20%26%20%C3%BC%E2%82%AC%0A%F0%9F%98%80"
            b"&ScheduleDate=20260701123015&SourceTON=1&ValidityPeriod=60&GetAllMessageIDs=1"
        ),
    ),
    "list": (
        lambda c: c.send_to_named(HELLO, "list", "My list"),
        "1",
        b"Send",
        (
            b"&DestinationAddress=List&ListName=My%20list&SourceAddress=API&Body=Hello%20World"
            b"&ValidityPeriod=86400&GetBGSendID=1"
        ),
    ),
    "group": (
        lambda c: c.send_to_named(HELLO, "group", "Staff"),
        "77,78",
        b"Send",
        (
            b"&DestinationAddress=Group&GroupName=Staff&SourceAddress=API&Body=Hello%20World"
            b"&ValidityPeriod=86400&GetBGSendID=1"
        ),
    ),
    "cancel": (
        lambda c: c.cancel_message("3509592"),
        "1",
        b"CancelMessage",
        b"&MessageID=3509592",
    ),
    "create user": (
        lambda c: c.create_user(USER),
        "1",
        b"CreateUser",
        (
            b"&ChildUsername=anna&ChildPassword=p%26ss%20word&AccessLevel=Normal&FirstName=Anna"
            b"&LastName=%C3%93g&Email=anna%40example.com&Credits=5.50"
        ),
    ),
    "create admin with everything": (
        lambda c: c.create_user(
            NewUser(
                "bo",
                "secret",
                AccessLevel.ADMIN,
                "Bo",
                "Li",
                "bo@example.com",
                Decimal(100),
                telephone="447700900002",
                credit_reminder=10,
                alert_days=7,
            )
        ),
        "1",
        b"CreateUser",
        (
            b"&ChildUsername=bo&ChildPassword=secret&AccessLevel=Admin&FirstName=Bo&LastName=Li"
            b"&Email=bo%40example.com&Telephone=447700900002&Credits=100&CreditReminder=10&Alert=7"
        ),
    ),
    "give credits": (
        lambda c: c.update_credits("anna", Decimal(5)),
        "1",
        b"UpdateCredits",
        b"&ChildUsername=anna&Quantity=5",
    ),
    "take credits back": (
        lambda c: c.update_credits("anna", Decimal("-1E+1")),
        "1",
        b"UpdateCredits",
        b"&ChildUsername=anna&Quantity=-10",
    ),
    "import": (
        lambda c: c.import_contacts(
            [
                NewContact("Contact 1", "447700900001", "", ("group1",)),
                NewContact("Contact 2", "447700900002"),
                NewContact("Li, Bo", "447700900003", "bo@example.com", ("group1", "group2")),
            ]
        ),
        "1 : Success\n2 : Success\n3 : Success\n",
        b"ImportContactsCSV",
        (
            b"&ContactsCSV=Contact%201%2C447700900001%2C%2Cgroup1%0AContact%202%2C447700900002%2C%0A"
            b"%22Li%2C%20Bo%22%2C447700900003%2Cbo%40example.com%2Cgroup1%2Cgroup2%0A"
        ),
    ),
    "import over duplicates": (
        lambda c: c.import_contacts(
            [NewContact("A", "447700900001")], ignore_duplicates=True, overwrite_duplicates=True
        ),
        "1 : Success\n",
        b"ImportContactsCSV",
        b"&ContactsCSV=A%2C447700900001%2C%0A&IgnoreDupes=1&OverwriteDupes=1",
    ),
    "contacts": (lambda c: c.get_all_contacts(), "Name,Number", b"GetAllContacts", b""),
    "groups": (lambda c: c.get_all_groups(), "Name", b"GetAllGroups", b""),
    "delete contacts": (lambda c: c.delete_all_contacts(), "1", b"DeleteAllContacts", b""),
    "delete groups": (lambda c: c.delete_all_groups(), "1", b"DeleteAllGroups", b""),
    "empty group": (lambda c: c.empty_group("Staff"), "1", b"EmptyGroup", b"&Group=Staff"),
    "delete group": (lambda c: c.delete_group("a+b"), "1", b"DeleteGroup", b"&Group=a%2Bb"),
    "background messages": (
        lambda c: c.get_background_messages("77"),
        "[]",
        b"GetBGMessages",
        b"&BGSendID=77",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_action_sends_exactly_this_form(name: str) -> None:
    call, body, action, parameters = CASES[name]
    async with calling(answer(body)) as (client, server):
        await call(client)

    assert server.bodies == [HEAD + action + TAIL + parameters]


async def test_many_numbers_go_in_one_form_without_error_texts() -> None:
    async with calling(answer("11,12")) as (client, server):
        await client.send_many(HELLO, ["447700900001", "447700900002"])

    assert server.bodies == [
        (
            b"Token=Tok3n-of.the%2Faccount&Action=Send"
            b"&DestinationAddress=447700900001%2C447700900002&SourceAddress=API&Body=Hello%20World"
            b"&ValidityPeriod=86400&GetAllMessageIDs=1"
        )
    ]


async def test_report_asks_in_local_time() -> None:
    async with calling(answer('"Status","Messages"\n')) as (client, server):
        since = datetime(2026, 6, 30, 23, tzinfo=UTC)
        until = datetime(2026, 12, 31, 12, tzinfo=UTC)
        async with client.open_report("Usage", since=since, until=until):
            pass

    assert server.bodies == [
        HEAD + b"Report" + TAIL + b"&ReportType=Usage&From=20260701000000&To=20261231120000"
    ]


async def test_outbox_is_asked_for_without_dates() -> None:
    async with (
        calling(answer('"MessageID"\n')) as (client, server),
        client.open_report("Outbox"),
    ):
        pass

    assert server.bodies == [HEAD + b"Report" + TAIL + b"&ReportType=Outbox"]


async def test_report_type_that_the_page_does_not_list_passes_through() -> None:
    async with calling(answer('"A","B"\n"1","2"\n')) as (client, server):
        at = datetime(2026, 1, 1, tzinfo=UTC)
        async with client.open_report("MessagesWithBodies", since=at, until=at) as table:
            rows = [row async for row in table]

    assert (
        b"&ReportType=MessagesWithBodies&From=20260101000000&To=20260101000000"
        in (server.bodies[0])
    )
    assert (table.headings, rows) == (("A", "B"), [["1", "2"]])


async def test_cancel_tries_its_other_name_where_the_first_is_unknown() -> None:
    async with calling(answer("-502\nUnknown Action"), answer("1")) as (client, server):
        await client.cancel_message("5")

    assert server.bodies == [
        HEAD + b"CancelMessage" + TAIL + b"&MessageID=5",
        HEAD + b"Cancel" + TAIL + b"&MessageID=5",
    ]


async def test_request_is_a_post_whose_url_and_headers_carry_no_parameter() -> None:
    async with calling(answer("1")) as (client, server):
        await client.delete_all_groups()

    request, *headers = server.heads[0].rstrip().split(b"\r\n")
    assert request == b"POST /api HTTP/1.1"
    assert sorted(headers) == [
        b"Accept-Encoding: identity",
        b"Accept: */*",
        b"Connection: keep-alive",
        b"Content-Length: 70",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Host: 127.0.0.1:%d" % server.port,
        b"User-Agent: Letterbox",
    ]


async def test_calls_share_one_connection_and_no_cookie() -> None:
    reply = answer("1", headers="Set-Cookie: PHPSESSID=abc; path=/\r\n")
    async with calling(reply) as (client, server):
        for _ in range(3):
            await client.delete_all_groups()

    assert server.connections == 1
    assert not any(b"cookie" in head.lower() for head in server.heads)
