"""Every action of the provider's page, between the real client and the simulator over sockets."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.domain.outbound.requests import OutgoingText, SourceTon
from app.domain.provider_errors import CodeError, RefusedNumberError
from app.provider.actions import AccessLevel, NewContact, NewUser
from app.provider.reports import read_inbound, read_messages
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
LONG = replace(HELLO, body="x" * 459)
FILLER = ', with a comma, a "quote"\nand a line break'
DAY: dict[str, Any] = {"since": START - timedelta(hours=1), "until": START + timedelta(days=1)}


@pytest.fixture
async def provider() -> AsyncIterator[Simulated]:
    async with simulated_over_sockets() as simulated:
        yield simulated


async def test_a_text_is_sent_paid_for_and_followed_to_its_end(provider: Simulated) -> None:
    client = provider.client
    [message_id] = await client.send(HELLO, ADA)
    assert await client.check_credits() == Decimal("999.00")
    words = []
    for seconds in (0, 3, 10):
        provider.pass_seconds(seconds)
        words.append((await client.check_message_status(message_id)).word)
    assert words == ["Pending", "Sent", "Delivered"]


async def test_every_character_arrives_as_it_left(provider: Simulated) -> None:
    body = "£10 & 5% = 1+1? #[é] €, “ök” 🙂\n日本"
    await provider.client.send(replace(HELLO, source="A+B & C", body=body), ADA)
    [text] = provider.app.simulator.world.outgoing.texts
    assert (text.source, text.body) == ("A+B & C", body)


async def test_each_part_has_an_id(provider: Simulated) -> None:
    ids = await provider.client.send(LONG, ADA)
    assert len(set(ids)) == 3


async def test_many_numbers_get_their_own_answers(provider: Simulated) -> None:
    numbers = [ADA, "447700900412", GRACE]
    answers = await provider.client.send_many(LONG, numbers)
    assert [answer.number for answer in answers] == numbers
    assert [len(answer.ids) for answer in answers] == [3, 0, 3]
    assert isinstance(answers[1].error, RefusedNumberError)


async def test_a_text_with_every_option_is_taken_as_it_was_meant(provider: Simulated) -> None:
    at = START + timedelta(days=30)
    text = OutgoingText("Shop", "Hello", 3600, at.astimezone(LONDON), SourceTon.ALPHANUMERIC)
    await provider.client.send(text, ADA)
    [taken] = provider.app.simulator.world.outgoing.texts
    assert (taken.due_at, taken.scheduled, taken.validity_seconds) == (at, True, 3600)


async def test_a_scheduled_text_is_cancelled_once(provider: Simulated) -> None:
    later = replace(HELLO, schedule_at=START + timedelta(hours=1))
    [message_id] = await provider.client.send(later, ADA)
    await provider.client.cancel_message(message_id)
    with pytest.raises(CodeError, match="-503"):
        await provider.client.cancel_message(message_id)


@pytest.mark.parametrize(("name", "count"), [("people", 2), ("many", 225)])
async def test_a_list_is_followed_through_its_background_send(
    provider: Simulated, name: str, count: int
) -> None:
    send = await provider.client.send_to_named(HELLO, "list", name)
    provider.pass_seconds(60)
    [background_id] = send.ids
    messages = await provider.client.get_background_messages(background_id)
    assert len(messages) == count
    assert {message.status.word for message in messages} == {"Delivered"}


async def test_a_group_is_sent_to(provider: Simulated) -> None:
    people = [NewContact("Ada", ADA, groups=("friends",)), NewContact("Grace", GRACE)]
    await provider.client.import_contacts(people)
    assert (await provider.client.send_to_named(HELLO, "group", "friends")).ids
    assert provider.list_taken() == [ADA]


async def test_reports_have_what_happened(provider: Simulated) -> None:
    client = provider.client
    [message_id] = await client.send(HELLO, ADA)
    await provider.app.simulator.receive_text(ADA, OUR_NUMBER, 'One, "two"\nand three')
    provider.pass_seconds(60)
    async with client.open_report("Messages", **DAY) as table:
        [sent] = [row async for row in read_messages(table, LONDON)]
    assert (sent.message_id, sent.destination, sent.status.word) == (message_id, ADA, "Delivered")
    assert sent.sent.at == START + timedelta(seconds=2)
    async with client.open_report("InboundMessages", **DAY) as table:
        [came] = [row async for row in read_inbound(table, LONDON)]
    assert (came.source, came.dest, came.body) == (ADA, OUR_NUMBER, 'One, "two"\nand three')
    assert came.received.at == START
    async with client.open_report("Usage", **DAY) as table:
        usage = [row async for row in table]
    assert usage == [["Delivered", "1"]]


def read_resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.soak
async def test_a_report_of_any_length_is_read_in_constant_memory(provider: Simulated) -> None:
    # Were they gathered, they would take more than 30 MB.
    rows = 1_000_000 if os.environ.get("LETTERBOX_SOAK") == "1" else 60_000
    provider.throw(filler_rows=rows)
    before = most = read_resident_bytes()
    count, last = 0, ""
    async with provider.client.open_report("InboundMessages", **DAY) as table:
        async for row in table:
            count, last = count + 1, row[3]
            if count % 5000 == 0:
                most = max(most, read_resident_bytes())
    assert (count, last) == (rows, f"Filler {rows - 1}{FILLER}")
    assert most - before < 16_000_000


async def test_the_outbox_has_what_is_still_to_go(provider: Simulated) -> None:
    later = replace(HELLO, schedule_at=START + timedelta(hours=1))
    [message_id] = await provider.client.send(later, ADA)
    async with provider.client.open_report("Outbox") as table:
        [row] = [row async for row in read_messages(table, LONDON)]
    assert (row.message_id, row.source) == (message_id, None)


async def test_failures_have_a_report_of_their_own(provider: Simulated) -> None:
    await provider.client.send(HELLO, "447700900803")
    provider.pass_seconds(60)
    async with provider.client.open_report("FailedMessages", **DAY) as table:
        rows = [row async for row in read_messages(table, LONDON, needed=["message_id"])]
    assert len(rows) == 1


async def test_the_address_book_is_filled_read_and_emptied(provider: Simulated) -> None:
    client = provider.client
    people = [
        NewContact('Ada "the first", Countess', ADA, "ada@example.com", ("friends", "people")),
        NewContact("Nobody", "mine"),
        NewContact("", GRACE),
    ]
    results = [(each.result, each.detail) for each in await client.import_contacts(people)]
    assert results == [("Success", ""), ("Failed", "Invalid number (mine)"), ("Failed", "No name")]
    [contact] = (await client.get_all_contacts()).rows
    assert (contact.name, contact.number, contact.email) == (
        'Ada "the first", Countess',
        ADA,
        "ada@example.com",
    )
    assert [group.name for group in (await client.get_all_groups()).rows] == ["friends", "people"]
    await client.empty_group("friends")
    await client.delete_group("people")
    assert [group.fields for group in (await client.get_all_groups()).rows] == [("friends", "0")]
    await client.delete_all_groups()
    await client.delete_all_contacts()
    assert (await client.get_all_contacts()).rows == ()
    assert (await client.get_all_groups()).rows == ()


async def test_a_child_is_created_and_given_credits(provider: Simulated) -> None:
    user = NewUser("desk", "s3cret", AccessLevel.NORMAL, "A", "B", "d@example.com", Decimal("5.5"))
    await provider.client.create_user(user)
    await provider.client.update_credits("desk", Decimal(10))
    await provider.client.update_credits("desk", Decimal("-0.5"))
    assert await provider.client.check_credits() == Decimal("985.00")
    with pytest.raises(CodeError, match="-508") as caught:
        await provider.client.create_user(replace(user, email="nowhere"))
    assert set(caught.value.details) >= {"Username is already in use"}
