"""What the client makes of the exact bodies that the provider answers."""

from decimal import Decimal

import pytest

from app.domain.errors import (
    AmbiguousError,
    CodeError,
    CountMismatch,
    PartlyTakenError,
    PermanentError,
    RefusedNumberError,
    UnreadableAnswer,
)
from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.statuses import KnownStatus
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
LONG = OutgoingText("API", "a" * 161)
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


@pytest.mark.parametrize("body", ["3509592", "3509592\n", "\ufeff3509592\r\n", " 3509592 "])
async def test_one_number_gives_one_id(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        assert await client.send(HELLO, ONE) == ("3509592",)


async def test_one_number_gives_however_many_ids_come() -> None:
    async with calling(answer("35, 36"), answer("37"), answer("38,39")) as (client, _):
        assert await client.send(LONG, ONE) == ("35", "36")
        assert await client.send(LONG, ONE) == ("37",)
        assert await client.send(HELLO, ONE) == ("38", "39")


@pytest.mark.parametrize("body", ["35,-300", "35;-300;", "35\n-300 Database error", '"35","-300"'])
async def test_ids_and_codes_for_one_number_are_kept_and_of_unknown_outcome(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(CountMismatch) as caught:
            await client.send(LONG, ONE)

    assert caught.value.answers == ("35", "-300")
    assert caught.value.outcome is SendOutcome.UNKNOWN


@pytest.mark.parametrize(
    "body",
    ["OK", "0", "-1", "12a", "1.5", "1 2", ",", "ID: 12", "\uff11\uff12", "-1000", "12,OK"],
)
async def test_what_is_no_id_is_never_taken_for_one(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(UnreadableAnswer) as caught:
            await client.send(HELLO, ONE)

    assert caught.value.outcome is SendOutcome.UNKNOWN


@pytest.mark.parametrize(
    "body",
    [
        "35,36,", "35;36", "35; 36;", "35\n36", "35\r\n36\r\n", "35,\n36",
        "35<br>36<br/>", "35,,36",
        '"35","36"', " 35 , 36 ", "\u00a035,36\u00a0", ",35,36",
    ],
)  # fmt: skip
async def test_ids_are_read_whatever_parts_them(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        assert await client.send(LONG, ONE) == ("35", "36")


@pytest.mark.parametrize("body", ["12,", "12;", "12<br/>", '"12"', "\ufeff12\r\n"])
async def test_one_id_is_read_whatever_stands_around_it(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        assert await client.send(HELLO, ONE) == ("12",)


async def test_an_id_may_begin_with_zeros() -> None:
    async with calling(answer("0012")) as (client, _):
        assert await client.send(HELLO, ONE) == ("0012",)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("-401", "Invalid Destination Address"),
        ("-401,", "Invalid Destination Address"),
        ("-401;\n", "Invalid Destination Address"),
        ("-401 Bad number", "Bad number"),
        ("-401: Bad number", "Bad number"),
        ("-401 - Bad number", "Bad number"),
        ("-401 (Bad number)", "Bad number"),
        ("-401\tBad number", "Bad number"),
        ("-401<br/>Bad number", "Bad number"),
        ("-401<BR>Bad number<br>", "Bad number"),
        ("-401\r\nBad number &amp; more\r\n", "Bad number & more"),
        ('"-401"', "Invalid Destination Address"),
        ("\ufeff-401\u00a0", "Invalid Destination Address"),
        ("<html><body>-401<br>Bad number</body></html>", "Bad number"),
        ("<?xml version='1.0'?><e><code>-401</code><text>Bad number</text></e>", "Bad number"),
        ("-401.", "Invalid Destination Address"),
        ("-401, Bad number", "Bad number"),
        ("-401,Bad, number", "Bad, number"),
        ("Error: -401 Bad number", "Bad number"),
        ("ERROR -401", "Invalid Destination Address"),
        ("(-401)", "Invalid Destination Address"),
        ('{"error":"-401","message":"Bad number"}', "Bad number"),
        ("-401 -401", "Invalid Destination Address"),
        ("-401 Bad, -401 Bad", "Invalid Destination Address"),
        ("-401,-401", "Invalid Destination Address"),
        ("-401\n-401", "Invalid Destination Address"),
        ("-401;-401;", "Invalid Destination Address"),
        ("-401\n2 numbers failed", "2 numbers failed"),
    ],
)  # fmt: skip
async def test_a_code_is_read_whatever_stands_around_it(body: str, said: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(PermanentError) as caught:
            await client.send(LONG, ONE)

    assert (caught.value.code, caught.value.provider_text) == (-401, said)
    assert caught.value.outcome is SendOutcome.REFUSED


@pytest.mark.parametrize("body", ["-401,-301", "-301\n-401", "-401;-400"])
async def test_among_codes_the_one_that_may_have_been_taken_decides(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(CodeError) as caught:
            await client.send(LONG, ONE)

    assert caught.value.outcome is SendOutcome.UNKNOWN


@pytest.mark.parametrize("body", ["-408,-408", "-408", "-408\n-408\n", "-408 Empty", "-408,"])
async def test_a_list_that_only_codes_answer_was_not_taken(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(PermanentError, match="-408") as caught:
            await client.send_to_named(HELLO, "list", "L")

    assert caught.value.outcome is SendOutcome.REFUSED


@pytest.mark.parametrize("body", ["1", "1,", "1,1", "1<br/>", '"1"'])
async def test_a_list_that_is_answered_1_was_taken(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        assert await client.send_to_named(HELLO, "list", "L") == BackgroundSend(())


@pytest.mark.parametrize("body", ["-401", "-401,", "-401\nBad numbers", "-401 Bad"])
async def test_a_lone_code_however_written_refuses_all_of_many_numbers(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(PermanentError, match="-401") as caught:
            await client.send_many(HELLO, [ONE, TWO, THREE])

    assert caught.value.outcome is SendOutcome.REFUSED


@pytest.mark.parametrize("body", ["-401,-401", "-401\n-401\n", "-401,-401,-401,-401"])
async def test_several_codes_for_another_count_of_numbers_leave_all_unknown(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(CountMismatch) as caught:
            await client.send_many(HELLO, [ONE, TWO, THREE])

    assert caught.value.outcome is SendOutcome.UNKNOWN


@pytest.mark.parametrize(
    "body", ["11;-412;13", "11\n-412\n13\n", '"11","-412","13"', "11,-412,13,"]
)
async def test_many_answers_are_read_whatever_parts_them(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        answers = await client.send_many(HELLO, [ONE, TWO, THREE])

    assert [each.ids for each in answers] == [("11",), (), ("13",)]


@pytest.mark.parametrize("body", ["-401 Bad, 12", "-401 Bad\n12", "-401 (Bad); 12", "-401\n12"])
async def test_a_code_with_its_text_refuses_its_own_number_alone(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        answers = await client.send_many(HELLO, [ONE, TWO])
        sent = await client.send_to_named(HELLO, "list", "L")

    assert [each.outcome for each in answers] == [SendOutcome.REFUSED, SendOutcome.TAKEN]
    assert sent.ids == ("12",)


async def test_an_answer_that_is_empty_leaves_its_own_number_unknown() -> None:
    async with calling(answer("11,,13")) as (client, _):
        answers = await client.send_many(HELLO, [ONE, TWO, THREE])

    assert [each.outcome for each in answers] == [
        SendOutcome.TAKEN,
        SendOutcome.UNKNOWN,
        SendOutcome.TAKEN,
    ]


async def test_many_numbers_get_their_own_answers_in_order() -> None:
    async with calling(answer("11,-412,13")) as (client, _):
        first, second, third = await client.send_many(HELLO, [ONE, TWO, THREE])

    assert (first.number, first.ids, first.error, first.outcome) == (
        ONE,
        ("11",),
        None,
        SendOutcome.TAKEN,
    )
    assert isinstance(second.error, RefusedNumberError)
    assert (second.number, second.ids, second.outcome) == (TWO, (), SendOutcome.REFUSED)
    assert (third.number, third.ids, third.outcome) == (THREE, ("13",), SendOutcome.TAKEN)


async def test_ambiguous_code_among_many_leaves_only_its_number_unknown() -> None:
    async with calling(answer("-301,12")) as (client, _):
        answers = await client.send_many(HELLO, [ONE, TWO])

    assert [a.outcome for a in answers] == [SendOutcome.UNKNOWN, SendOutcome.TAKEN]


async def test_ids_of_parts_are_dealt_out_to_many_numbers() -> None:
    async with calling(answer("11,12,-401,31,32")) as (client, _):
        answers = await client.send_many(LONG, [ONE, TWO, THREE])

    assert [a.ids for a in answers] == [("11", "12"), (), ("31", "32")]


async def test_one_id_for_each_of_many_is_taken_though_all_were_asked_for() -> None:
    async with calling(answer("11,21")) as (client, _):
        answers = await client.send_many(LONG, [ONE, TWO])

    assert [a.ids for a in answers] == [("11",), ("21",)]


@pytest.mark.parametrize("body", ["11", "11,12,13", "11,12,13,14,15", "11,-412,12,13"])
async def test_another_count_of_answers_than_numbers_is_an_error(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(CountMismatch) as caught:
            await client.send_many(LONG, [ONE, TWO])

    assert caught.value.answers == tuple(body.split(","))
    assert caught.value.outcome is SendOutcome.UNKNOWN


@pytest.mark.parametrize("odd", ["OK", "0", "1.5", "-1", "", "12a"])
async def test_an_answer_without_sense_leaves_only_its_number_unknown(odd: str) -> None:
    async with calling(answer(f"11,{odd},13")) as (client, _):
        answers = await client.send_many(HELLO, [ONE, TWO, THREE])

    assert [each.ids for each in answers] == [("11",), (), ("13",)]
    assert [each.outcome for each in answers] == [
        SendOutcome.TAKEN,
        SendOutcome.UNKNOWN,
        SendOutcome.TAKEN,
    ]


async def test_an_id_that_several_numbers_get_is_nobodys() -> None:
    async with calling(answer("11,11,13"), answer("11,12,13,12,15,16")) as (client, _):
        short = await client.send_many(HELLO, [ONE, TWO, THREE])
        long = await client.send_many(LONG, [ONE, TWO, THREE])

    assert [each.ids for each in short] == [(), (), ("13",)]
    assert [each.outcome for each in short] == [
        SendOutcome.UNKNOWN,
        SendOutcome.UNKNOWN,
        SendOutcome.TAKEN,
    ]
    assert "the same id: 11" in str(short[0].error)
    assert [each.ids for each in long] == [(), (), ("15", "16")]


async def test_answers_that_cannot_be_dealt_out_are_told_with_the_error() -> None:
    async with calling(answer("11,12,13")) as (client, _):
        with pytest.raises(CountMismatch, match="3 answers for 2 numbers: 11, 12, 13"):
            await client.send_many(HELLO, [ONE, TWO])


async def test_parts_that_run_across_a_code_are_not_dealt_out() -> None:
    async with calling(answer("11,-412,12,13,14")) as (client, _):
        with pytest.raises(CountMismatch):
            await client.send_many(LONG, [ONE, TWO, THREE])


@pytest.mark.parametrize(
    ("body", "error", "outcome"),
    [
        ("-401", PermanentError, SendOutcome.REFUSED),
        ("-300", AmbiguousError, SendOutcome.UNKNOWN),
        ("-400", PartlyTakenError, SendOutcome.UNKNOWN),
    ],
)
async def test_lone_code_is_about_the_whole_call(
    body: str, error: type[CodeError], outcome: SendOutcome
) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(error) as caught:
            await client.send_many(HELLO, [ONE, TWO])

    assert caught.value.outcome is outcome


async def test_partly_taken_of_one_number_is_of_unknown_outcome() -> None:
    async with calling(answer("-400")) as (client, _):
        with pytest.raises(PartlyTakenError) as caught:
            await client.send(HELLO, ONE)

    assert caught.value.outcome is SendOutcome.UNKNOWN


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
