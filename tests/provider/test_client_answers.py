"""What the client makes of the exact bodies that the provider answers."""

from decimal import Decimal

import pytest

from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.statuses import KnownStatus
from app.domain.provider_errors import CodeError, PartlyTakenError, PermanentError, UnreadableAnswer
from app.provider.actions import (
    AddressBook,
    BackgroundSend,
    Contact,
    Group,
    ImportedLine,
    NewContact,
)
from app.provider.client import ProviderClient
from tests.support.endpoints.wire_server import answer
from tests.support.provider import calling

HELLO = OutgoingText("API", "Hello World")
ONE, TWO, THREE = "447700900001", "447700900002", "447700900003"


@pytest.mark.parametrize(
    ("body", "balance"),
    [
        ("152", "152"),
        ("152.50\n", "152.50"),
        (" 1,234.5 ", "1234.5"),
        ("1,234,567", "1234567"),
        ("0", "0"),
        ("-12.50", "-12.50"),
        ('"152.50"', "152.50"),
        ("152.50<br/>", "152.50"),
        ("£152.50", "152.50"),
        ("152 credits", "152"),
        ("Credits: 1,234", "1234"),
    ],
)
async def test_balance_is_a_decimal_with_or_without_commas(body: str, balance: str) -> None:
    async with calling(answer(body)) as (client, _):
        assert await client.check_credits() == Decimal(balance)


@pytest.mark.parametrize("body", ["12,5", "1,23,456", "lots", "1 2", "NaN", "1e5", "١٢"])
async def test_balance_that_is_no_plain_number_is_not_guessed_at(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(UnreadableAnswer, match="which is not a balance"):
            await client.check_credits()


async def test_status_word_is_kept_as_it_came() -> None:
    async with calling(answer("Command_Rejected"), answer("Sent\n"), answer("Zapped")) as (c, _):
        statuses = [await c.check_message_status("1") for _ in range(3)]

    assert [(status.word, status.is_final) for status in statuses] == [
        ("Command_Rejected", True),
        ("Sent", False),
        ("Zapped", False),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "Command Rejected", "command_rejected", "COMMAND-REJECTED", "CommandRejected",
        '"Command_Rejected"', "Command&nbsp;Rejected", "Command\u00a0Rejected<br/>",
    ],
)  # fmt: skip
async def test_status_word_is_known_by_its_letters(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        status = await client.check_message_status("1")

    assert status.known is KnownStatus.COMMAND_REJECTED


async def test_list_answers_its_background_sends() -> None:
    async with calling(answer("1"), answer("77, 78"), answer("77,-300")) as (c, _):
        assert await c.send_to_named(HELLO, "list", "L") == BackgroundSend(())
        assert await c.send_to_named(HELLO, "list", "L") == BackgroundSend(("77", "78"))
        partly = await c.send_to_named(HELLO, "list", "L")

    assert partly.ids == ("77",)
    assert [error.code for error in partly.errors] == [-300]


async def test_list_taken_in_part_is_certainly_taken() -> None:
    async with calling(answer("-400\nSome numbers in list failed")) as (client, _):
        with pytest.raises(PartlyTakenError) as caught:
            await client.send_to_named(HELLO, "list", "L")

    assert caught.value.outcome is SendOutcome.TAKEN


async def test_background_messages_are_a_json_array() -> None:
    body = (
        '[{"MessageID":"3509592","Destination":"447700900001","Status":"Sent"},'
        '{"messageid":3509593,"Number":"447700900002","status":"Delivered"}]'
    )
    async with calling(answer(body), answer("[]")) as (client, _):
        messages = await client.get_background_messages("77")
        assert await client.get_background_messages("77") == ()

    assert [(m.message_id, m.destination, m.status.word) for m in messages] == [
        ("3509592", ONE, "Sent"),
        ("3509593", TWO, "Delivered"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        '{"error":"-521","message":"Unknown Background SendID"}',
        '{"error":-521}',
        "-521\nUnknown Background SendID",
        "-521",
    ],
)
async def test_background_errors_come_as_json_or_plain(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(PermanentError, match=r"-521: Unknown Background Send ?ID") as caught:
            await client.get_background_messages("77")

    assert caught.value.code == -521


CURLY = (
    "[{\u201cMessageID\u201d:\u201d35\u2033,\u201cDestination\u201d:\u201d447700900001\u2033,"
    "\u201cStatus\u201d:\u201dSent\u201d}]"
)
ESCAPED = (
    "[{&quot;MessageID&quot;:&quot;35&quot;,&quot;Destination&quot;:&quot;447700900001&quot;,"
    "&quot;Status&quot;:&quot;Sent&quot;}]"
)
AMONG_OTHERS = (
    '[{"MessageID":"35","Destination":" 447700900001 ","Status":"Sent"},null,{},{"MessageID":36},'
    '{"MessageID":"","Destination":"1","Status":"Sent"},'
    '{"MessageID":null,"Destination":"1","Status":"Sent"}]'
)
OTHERWISE_NAMED = '\ufeff[{"messageid":35,"number":447700900001,"STATUS":"Sent"}]\r\n'


@pytest.mark.parametrize("body", [CURLY, ESCAPED, AMONG_OTHERS, OTHERWISE_NAMED])
async def test_background_messages_are_read_as_far_as_they_make_sense(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        [message] = await client.get_background_messages("77")

    assert (message.message_id, message.destination, message.status.word) == ("35", ONE, "Sent")


async def test_the_action_that_the_page_does_not_name_is_found_once() -> None:
    replies = (answer("-502"), answer("-502\nUnknown Action"), answer("-522"), answer("[]"))
    async with calling(*replies) as (client, server):
        with pytest.raises(PermanentError, match="-522"):
            await client.get_background_messages("77")
        assert await client.get_background_messages("77") == ()

    names = [body.split(b"Action=")[1].split(b"&")[0] for body in server.bodies]
    assert names == [b"GetBGMessages", b"GetBGSendMessages", b"BGMessages", b"BGMessages"]


async def test_an_action_that_has_none_of_its_names_is_an_error_each_time() -> None:
    async with calling(answer("-502")) as (client, server):
        for _ in range(2):
            with pytest.raises(PermanentError, match="-502"):
                await client.get_background_messages("77")

    assert len(server.bodies) == 8


@pytest.mark.parametrize(
    "body",
    [
        "[{\u201cMessageID\u201d:\u201d1\u2033}",
        "{}",
        '{"error":"x"}',
        "[1]",
        "[{}]",
        '[{"MessageID":null,"Destination":"1","Status":"Sent"}]',
        "1",
        '"Sent"',
        "[" * 100_000,
        '[{"MessageID":"1"',
    ],
)
async def test_other_json_is_not_guessed_at(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(UnreadableAnswer):
            await client.get_background_messages("77")


async def test_import_gives_a_result_for_each_line_with_its_detail() -> None:
    body = (
        "1 : Success\n2 : Partial\n3 : Failed\n4 : Duplicate Name\n5 : Failed\n6 : Queued\n\n\n"
        "2 : No such group (x)\n3 : No name\n5 : Invalid number (mynumber)\n5 : No name\nreally\n"
    )
    async with calling(answer(body)) as (client, _):
        lines = await client.import_contacts([NewContact("A", ONE)] * 6)

    assert lines == (
        ImportedLine(1, "Success", ""),
        ImportedLine(2, "Partial", "No such group (x)"),
        ImportedLine(3, "Failed", "No name"),
        ImportedLine(4, "Duplicate Name", ""),
        ImportedLine(5, "Failed", "Invalid number (mynumber); No name; really"),
        ImportedLine(6, "Queued", ""),
    )
    assert [line.is_success for line in lines] == [True] + [False] * 5


async def test_import_answers_the_example_of_the_page_as_it_stands_there() -> None:
    body = (
        "1 : Success\r\n2 : Success\r\n3 : Success\r\n4 : Failed\r\n5 : Failed\r\n \r\n\r\n"
        "4 : No name\r\n5 : Invalid number (mynumber)\r\n"
    )
    async with calling(answer(body)) as (client, _):
        lines = await client.import_contacts([NewContact("A", ONE)] * 5)

    assert [line.result for line in lines] == ["Success"] * 3 + ["Failed"] * 2
    assert [line.detail for line in lines[3:]] == ["No name", "Invalid number (mynumber)"]


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("1 : Success", [1]),
        ("1 : Success\n1 : Failed", [1]),
        ("2 : A\n3 : B", [2]),
        ("3 : C\n1 : A\nwhat?\n2 : B", [1, 2]),
        ("0 : A\n2 : B<br/>1 : A", [1, 2]),
    ],
)
async def test_import_whose_count_differs_gives_the_lines_that_came(
    body: str, lines: list[int]
) -> None:
    async with calling(answer(body)) as (client, _):
        found = await client.import_contacts([NewContact("A", ONE), NewContact("B", TWO)])

    assert [each.line for each in found] == lines


async def test_import_that_answers_something_else_is_not_guessed_at() -> None:
    async with calling(answer("Success")) as (client, _):
        with pytest.raises(UnreadableAnswer, match="not a result for each contact"):
            await client.import_contacts([NewContact("A", ONE)])


async def test_user_errors_keep_every_line() -> None:
    async with calling(answer("-508\nUsername is taken\nEmail is invalid\n")) as (client, _):
        with pytest.raises(PermanentError) as caught:
            await client.update_credits("anna", Decimal(1))

    assert caught.value.details == ("Username is taken", "Email is invalid")
    assert caught.value.provider_text == "Username is taken"
    assert str(caught.value) == "The provider answered -508: Username is taken; Email is invalid"


async def test_contacts_are_read_by_heading_in_any_order() -> None:
    body = (
        '"Number","Full Name","Group 1","Group2","Notes"\n'
        f'"{ONE}","Li, Bo","staff","","a\nb"\n"{TWO}","Anna"\n'
    )
    async with calling(answer(body)) as (client, _):
        book = await client.get_all_contacts()

    assert book.headings == ("Number", "Full Name", "Group 1", "Group2", "Notes")
    assert book.rows == (
        Contact("Li, Bo", ONE, None, ("staff",), (ONE, "Li, Bo", "staff", "", "a\nb")),
        Contact("Anna", TWO, None, (), (TWO, "Anna")),
    )


async def test_contacts_without_headings_keep_their_fields_unnamed() -> None:
    async with calling(answer(f"Anna,{ONE},,staff\n")) as (client, _):
        book = await client.get_all_contacts()

    assert book.headings is None
    assert book.rows == (Contact(None, None, None, (), ("Anna", ONE, "", "staff")),)


@pytest.mark.parametrize(
    ("body", "groups"),
    [
        ('"ID","Group Name"\n"1","staff"\n', [Group("staff", ("1", "staff"))]),
        ("staff\nboard\n", [Group("staff", ("staff",)), Group("board", ("board",))]),
        ("1,staff\n", [Group(None, ("1", "staff"))]),
    ],
)
async def test_groups_are_named_by_heading_or_stand_alone(body: str, groups: list[Group]) -> None:
    async with calling(answer(body)) as (client, _):
        assert list((await client.get_all_groups()).rows) == groups


@pytest.mark.parametrize("call", [ProviderClient.get_all_contacts, ProviderClient.get_all_groups])
async def test_address_book_raises_codes_and_may_be_empty(call: object) -> None:
    assert callable(call)
    async with calling(answer("-501"), answer(""), answer("\r\n")) as (client, _):
        with pytest.raises(CodeError, match="-501"):
            await call(client)
        for _ in range(2):
            assert (await call(client)) == AddressBook(None, ())


@pytest.mark.parametrize("parted_by", [";", "\t", "|"])
async def test_contacts_are_read_by_heading_whatever_parts_them(parted_by: str) -> None:
    rows = [("Name", "Number", "Group"), ("Li, Bo", ONE, "staff"), ("Anna", TWO, "")]
    body = "\ufeffsep=;\n" if parted_by == ";" else ""
    body += "\r\n".join(parted_by.join(row) for row in rows)
    async with calling(answer(body)) as (client, _):
        book = await client.get_all_contacts()

    assert [(each.name, each.number, each.groups) for each in book.rows] == [
        ("Li, Bo", ONE, ("staff",)), ("Anna", TWO, ()),
    ]  # fmt: skip


@pytest.mark.parametrize("body", ["0", "2", "true", "1,1", "1\n1"])
async def test_success_is_exactly_1(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(UnreadableAnswer, match="not the 1 of success"):
            await client.delete_all_contacts()
