"""Both positions of every switch that the client meets, over sockets: it reads either."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.errors import InvalidInput
from app.domain.outbound.requests import OutgoingText
from app.domain.provider_errors import CodeError, MissingColumns
from app.provider.actions import Named, NewContact
from app.provider.reports import InboundRow, MessageRow, read_inbound, read_messages
from tests.support.simulated import (
    ADA,
    GRACE,
    LONDON,
    OUR_NUMBER,
    START,
    Simulated,
    simulated_over_sockets,
)

HELLO = OutgoingText(source=OUR_NUMBER, body="Hello")
LATER = replace(HELLO, schedule_at=START + timedelta(hours=1))
DAY: dict[str, Any] = {"since": START - timedelta(hours=1), "until": START + timedelta(days=1)}


async def read_sent(provider: Simulated, zone: ZoneInfo = LONDON) -> list[MessageRow]:
    async with provider.client.open_report("Messages", **DAY) as table:
        return [row async for row in read_messages(table, zone)]


async def read_came(provider: Simulated, zone: ZoneInfo = LONDON) -> list[InboundRow]:
    async with provider.client.open_report("InboundMessages", **DAY) as table:
        return [row async for row in read_inbound(table, zone)]


@asynccontextmanager
async def delivered(**switches: Any) -> AsyncIterator[Simulated]:
    """A provider with one text each way, the one that left delivered."""
    async with simulated_over_sockets(**switches) as provider:
        await provider.client.send(HELLO, ADA)
        await provider.app.simulator.receive_text(GRACE, OUR_NUMBER, "Zoë, “yes”")
        provider.pass_seconds(60)
        yield provider


@pytest.mark.parametrize("name", ["CancelMessage", "Cancel"])
async def test_cancelling_goes_by_either_name(name: str) -> None:
    async with simulated_over_sockets(cancel_action=name) as provider:
        [message_id] = await provider.client.send(LATER, ADA)
        await provider.client.cancel_message(message_id)
        with pytest.raises(CodeError, match="-503"):
            await provider.client.check_message_status(message_id)


async def test_a_cancelling_with_a_name_nobody_knows_is_an_unknown_action() -> None:
    async with simulated_over_sockets(cancel_action="Revoke") as provider:
        [message_id] = await provider.client.send(LATER, ADA)
        with pytest.raises(CodeError, match="-502"):
            await provider.client.cancel_message(message_id)


@pytest.mark.parametrize("form", ["json", "plain"])
async def test_errors_of_background_sends_come_in_either_form(form: str) -> None:
    async with simulated_over_sockets(background_errors=form) as provider:
        with pytest.raises(CodeError) as caught:
            await provider.client.get_background_messages("1")
        assert caught.value.code == -521
        send = await provider.client.send_to_named(HELLO, "list", "many")
        with pytest.raises(CodeError) as caught:
            await provider.client.get_background_messages(send.ids[0])
        assert caught.value.code == -522


@pytest.mark.parametrize("count", [1, 3])
async def test_a_background_send_may_be_split(count: int) -> None:
    async with simulated_over_sockets(background_ids=count) as provider:
        send = await provider.client.send_to_named(HELLO, "list", "people")
        assert len(send.ids) == count


@pytest.mark.parametrize("comma", [True, False])
async def test_credits_with_and_without_a_comma(comma: bool) -> None:
    async with simulated_over_sockets(credits_comma=comma) as provider:
        assert await provider.client.check_credits() == Decimal("1000.00")


@pytest.mark.parametrize("ends", [True, False])
async def test_one_line_answers_with_and_without_an_end(ends: bool) -> None:
    async with simulated_over_sockets(trailing_newline=ends, content_type="text/plain") as provider:
        [message_id] = await provider.client.send(HELLO, ADA)
        assert (await provider.client.check_message_status(message_id)).word == "Pending"
        await provider.client.delete_all_contacts()


@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
async def test_the_content_type_of_answers_says_nothing(content_type: str) -> None:
    async with simulated_over_sockets(content_type=content_type) as provider:
        assert await provider.client.check_credits() == Decimal("1000.00")


@pytest.mark.parametrize("header", [True, False])
async def test_the_address_book_with_and_without_headings(header: bool) -> None:
    async with simulated_over_sockets(contacts_header=header) as provider:
        await provider.client.import_contacts([NewContact("Ada", ADA, "", ("friends",))])
        book = await provider.client.get_all_contacts()
        [contact] = book.rows
        assert (book.headings is None) == (not header)
        assert contact.name == ("Ada" if header else None)
        assert contact.fields == ("Ada", ADA, "", "friends")
        assert (await provider.client.get_all_groups()).rows[0].fields == ("friends", "1")


@pytest.mark.parametrize(
    ("words", "name", "groups"),
    [
        ({"Name": "Full Name", "Number": "Mobile", "Groups": "Group 1"}, "Ada", ("friends",)),
        ({"Number": "Whom"}, None, ()),
    ],
    ids=str,
)
async def test_the_address_book_in_other_words(
    words: dict[str, str], name: str | None, groups: tuple[str, ...]
) -> None:
    async with simulated_over_sockets(rename_headings=words) as provider:
        await provider.client.import_contacts([NewContact("Ada", ADA, "", ("friends",))])
        contact = (await provider.client.get_all_contacts()).rows[-1]
        assert (contact.name, contact.groups) == (name, groups)
        assert contact.fields == ("Ada", ADA, "", "friends")


@pytest.mark.parametrize("creates", [True, False])
async def test_an_unknown_group_is_made_or_makes_the_line_partial(creates: bool) -> None:
    async with simulated_over_sockets(import_creates_groups=creates) as provider:
        [line] = await provider.client.import_contacts([NewContact("Ada", ADA, "", ("friends",))])
        assert line.result == ("Success" if creates else "Partial")
        assert ("friends" in line.detail) == (not creates)


@pytest.mark.parametrize(
    ("switch", "values", "kind"),
    [
        ("unknown_list_code", (-410, -516), "list"),
        ("unknown_group_code", (-414, -520), "group"),
    ],
)
async def test_a_name_nobody_knows_has_either_code(
    switch: str, values: tuple[int, int], kind: Named
) -> None:
    for value in values:
        async with simulated_over_sockets() as provider:
            provider.throw(**{switch: value})
            with pytest.raises(CodeError) as caught:
                await provider.client.send_to_named(HELLO, kind, "no-such")
            assert caught.value.code == value


@pytest.mark.parametrize("form", ["lone", "each"])
async def test_a_bad_call_to_many_is_one_code_or_one_each(form: str) -> None:
    past = replace(HELLO, schedule_at=START - timedelta(hours=1))
    async with simulated_over_sockets(whole_call_errors=form) as provider:
        try:
            answers = await provider.client.send_many(past, [ADA, GRACE])
        except CodeError as error:
            codes = [error.code]
        else:
            errors = [answer.error for answer in answers]
            codes = [error.code for error in errors if isinstance(error, CodeError)]
        assert codes == [-407] * (1 if form == "lone" else 2)


@pytest.mark.parametrize("required", [True, False])
async def test_the_validity_is_always_there(required: bool) -> None:
    async with simulated_over_sockets(validity_required=required) as provider:
        await provider.client.send(HELLO, ADA)
        assert provider.app.simulator.world.outgoing.texts[0].validity_seconds == 86400


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"report_headings": "other"},
        {"report_dates": "ymd"},
        {"report_newline": "\r\n"},
        {"report_bom": True},
        {"short_rows": True},
        {"charset": "windows-1252"},
    ],
    ids=str,
)
async def test_reports_are_read_however_they_are_written(switches: dict[str, object]) -> None:
    async with delivered(**switches) as provider:
        [sent], [came] = await read_sent(provider), await read_came(provider)
    assert (sent.destination, sent.status.word) == (ADA, "Delivered")
    assert (sent.sent.at, sent.sent.ambiguous) == (START + timedelta(seconds=2), False)
    assert (came.source, came.dest, came.body) == (GRACE, OUR_NUMBER, "Zoë, “yes”")
    assert came.received.at == START


@pytest.mark.parametrize("form", ["dmy", "ymd", "compact"])
async def test_times_are_read_in_every_form_that_the_provider_may_use(form: str) -> None:
    async with delivered(report_dates=form) as provider:
        [came] = await read_came(provider)
    assert came.received.at == START


@pytest.mark.parametrize("zone", ["Europe/London", "UTC", "America/New_York"])
async def test_the_zone_of_calls_and_reports_is_the_one_that_was_set(zone: str) -> None:
    info = ZoneInfo(zone)
    async with simulated_over_sockets(zone=info, reply_zone=zone, request_zone=zone) as provider:
        await provider.client.send(LATER, ADA)
        [sent] = await read_sent(provider, info)
        assert sent.scheduled.at == LATER.schedule_at
        assert provider.app.simulator.world.outgoing.texts[0].due_at == LATER.schedule_at


async def test_a_heading_nobody_knows_is_named() -> None:
    async with delivered(rename_headings={"Destination": "Whereto"}) as provider:
        with pytest.raises(MissingColumns, match=r"destination.*'Whereto'"):
            await read_sent(provider)


@pytest.mark.parametrize(("rows", "count"), [("part", 3), ("message", 1)])
async def test_a_long_text_has_a_row_a_part_or_one(rows: str, count: int) -> None:
    async with simulated_over_sockets(report_rows=rows) as provider:
        ids = await provider.client.send(replace(HELLO, body="x" * 459), ADA)
        found = [row.message_id for row in await read_sent(provider)]
        assert found == list(ids[:count])


@pytest.mark.parametrize("shown", [True, False])
async def test_a_pending_text_is_listed_or_not_yet(shown: bool) -> None:
    async with simulated_over_sockets(report_pending=shown) as provider:
        await provider.client.send(HELLO, ADA)
        assert len(await read_sent(provider)) == (1 if shown else 0)
        provider.pass_seconds(60)
        assert len(await read_sent(provider)) == 1


@pytest.mark.parametrize("ids", ["same", "other"])
async def test_the_ids_of_texts_may_differ_between_forward_and_report(ids: str) -> None:
    async with simulated_over_sockets(inbound_ids=ids) as provider:
        [text] = await provider.app.simulator.receive_text(ADA, OUR_NUMBER, "Hello")
        [came] = await read_came(provider)
        assert (came.message_id == str(text.id)) == (ids == "same")


@pytest.mark.parametrize("words", [{}, {"Delivered": "DELIVRD"}, {"Delivered": "Read by them"}])
async def test_a_status_is_kept_by_the_word_that_came(words: dict[str, str]) -> None:
    async with delivered(rename_statuses=words) as provider:
        [sent] = await read_sent(provider)
        status = await provider.client.check_message_status(sent.message_id)
        assert status.word == sent.status.word == words.get("Delivered", "Delivered")


@pytest.mark.parametrize("status", [None, "Cancelled"])
async def test_a_cancelled_text_is_gone_or_says_so(status: str | None) -> None:
    async with simulated_over_sockets(cancelled_status=status) as provider:
        [message_id] = await provider.client.send(LATER, ADA)
        await provider.client.cancel_message(message_id)
        if status is not None:
            assert (await provider.client.check_message_status(message_id)).word == status
            return
        with pytest.raises(CodeError, match="-503"):
            await provider.client.check_message_status(message_id)


async def test_what_the_provider_would_cut_is_refused_before_it_leaves() -> None:
    async with simulated_over_sockets(long_body="cut") as provider:
        with pytest.raises(InvalidInput, match="460 characters"):
            await provider.client.send(replace(HELLO, body="x" * 460), ADA)
        assert provider.list_taken() == []
