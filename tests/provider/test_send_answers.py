"""What the client makes of what Send answers, to the byte."""

import pytest

from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.provider_errors import (
    AmbiguousError,
    CodeError,
    CountMismatch,
    PartlyTakenError,
    PermanentError,
    RefusedNumberError,
    UnreadableAnswer,
)
from app.provider.actions import (
    BackgroundSend,
)
from tests.support.endpoints.wire_server import answer
from tests.support.provider import calling

HELLO = OutgoingText("API", "Hello World")
LONG = OutgoingText("API", "a" * 161)
ONE, TWO, THREE = "447700900001", "447700900002", "447700900003"


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
