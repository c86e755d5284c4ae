"""The checks: what the provider tells of a text, how seldom it is asked, and when that ends."""

from datetime import datetime, timedelta

import httpx2
import pytest

from app.simulator.actions.magic import ENDING_NUMBERS
from app.storage.operations.alerts import list_alerts
from app.storage.outbound.sending.deliveries import NO_FINAL_WORD, StatusReport, record_statuses
from tests.support.outbox import ADA, GRACE, Outbox

NUMBERS = {ending: number for number, ending in ENDING_NUMBERS.items()}


async def check_after(outbox: Outbox, *seconds: float) -> None:
    for each in seconds:
        outbox.pass_seconds(each)
        await outbox.check()


async def test_a_text_is_followed_to_its_delivery(outbox: Outbox) -> None:
    number = await outbox.queue()
    await outbox.send()
    await check_after(outbox, 1)
    assert outbox.world.calls.counts["CheckMessageStatus"] == 0  # not yet
    await check_after(outbox, 4, 5, 5)
    row = await outbox.row(number)
    assert (row.status, row.provider_status, row.check_at) == ("delivered", "Delivered", None)
    assert await outbox.history(number) == [
        ("sent", "send", None),
        ("sent", "check", "Sent"),
        ("delivered", "check", "Delivered"),
    ]
    asked = outbox.world.calls.counts["CheckMessageStatus"]
    await check_after(outbox, 3600, 86400)
    assert outbox.world.calls.counts["CheckMessageStatus"] == asked


async def test_each_last_word_has_its_status(outbox: Outbox) -> None:
    wanted = {
        "Failed": "failed",
        "Undeliverable": "undelivered",
        "Command_Rejected": "failed",
        "Command_Failed": "failed",
        "Expired": "expired",
        "stays-sent": "sent",
        "stays-unknown": "sent",
        "unheard-of-word": "delivered",
        "sent-after-delivered": "delivered",
        "failed-then-delivered": "failed",
        "unknown-then-delivered": "delivered",
    }
    texts = {ending: await outbox.queue(NUMBERS[ending]) for ending in wanted}
    await outbox.send()
    await check_after(outbox, *[5] * 6, *[60] * 4, *[3600] * 24)
    assert {ending: await outbox.status(each) for ending, each in texts.items()} == wanted
    words = [word for _, _, word in await outbox.history(texts["unheard-of-word"])]
    assert set(words) - {None, "Sent", "Delivered"}, words  # kept as it came
    counts = await outbox.fetch(
        "SELECT name, value FROM daily_counts WHERE name IN ('failed', 'delivered') ORDER BY name"
    )
    assert [tuple(row) for row in counts] == [("delivered", 3), ("failed", 4)]


async def test_a_long_text_settles_when_all_its_parts_do(outbox: Outbox) -> None:
    number = await outbox.queue(body="x" * 200)
    await outbox.send()
    first, _second = await outbox.ids(number)

    def settle_first(conn: object) -> None:
        conn.exec_driver_sql(  # type: ignore[attr-defined]
            "UPDATE provider_messages SET status = 'Failed', is_final = '1'"
            f" WHERE provider_id = '{first}'"
        )

    await outbox.database.write(settle_first)
    await check_after(outbox, 5)
    assert await outbox.status(number) == "sent"
    await check_after(outbox, 5, 5)
    assert await outbox.status(number) == "failed"


async def test_checks_grow_rare_and_stop_after_validity_and_grace(outbox: Outbox) -> None:
    number = await outbox.queue(NUMBERS["stays-sent"])
    await outbox.send()
    for _ in range(31 * 6):
        await check_after(outbox, 600)
    row = await outbox.row(number)
    assert (row.status, row.check_at) == ("sent", None)
    assert row.settled_at is not None
    assert "no final word" in row.settled_reason
    assert outbox.world.calls.counts["CheckMessageStatus"] < 60


async def test_many_outstanding_texts_cost_one_report(outbox: Outbox) -> None:
    numbers = [await outbox.queue(f"4477009000{turn:02}") for turn in range(40)]
    await outbox.send()
    await check_after(outbox, 5)
    counts = outbox.world.calls.counts
    assert (counts["Report"], counts["CheckMessageStatus"]) == (1, 0)
    await check_after(outbox, 5)
    assert (counts["Report"], counts["CheckMessageStatus"]) == (2, 0)
    assert {await outbox.status(each) for each in numbers} == {"delivered"}
    assert (await outbox.history(numbers[0]))[-1] == ("delivered", "report", "Delivered")


async def test_a_report_that_took_long_is_not_asked_for_again_at_once(outbox: Outbox) -> None:
    numbers = [await outbox.queue(f"4477009000{turn:02}") for turn in range(15)]
    await outbox.send()
    checker = outbox.make_checker()
    outbox.pass_seconds(5)

    def look() -> datetime:
        outbox.pass_seconds(1)
        return outbox.now()

    checker.now = look
    assert await checker.check_due() == 15
    checker.now = outbox.now
    counts = outbox.world.calls.counts
    outbox.pass_seconds(5)
    assert await checker.check_due() == 0
    assert counts["Report"] == 1
    outbox.pass_seconds(60)
    assert await checker.check_due() == 15
    assert counts["Report"] == 2
    assert {await outbox.status(each) for each in numbers} == {"delivered"}


async def test_messages_that_the_report_leaves_out_are_asked_for_singly(outbox: Outbox) -> None:
    outbox.world.switches = outbox.world.switches.changed({"report_lag_seconds": 3600})
    numbers = [await outbox.queue(f"4477009000{turn:02}") for turn in range(15)]
    await outbox.send()
    await check_after(outbox, 10, 5, 5)
    assert {await outbox.status(each) for each in numbers} == {"delivered"}


async def test_a_check_that_fails_is_made_again(outbox: Outbox) -> None:
    number = await outbox.queue()
    await outbox.send()
    outbox.strike("status", action="CheckMessageStatus")
    await check_after(outbox, 10)
    assert await outbox.status(number) == "sent"
    await check_after(outbox, 5)
    assert await outbox.status(number) == "delivered"


async def test_a_list_is_followed_by_its_recipients(outbox: Outbox) -> None:
    number = await outbox.queue(None, list_name="people")
    await outbox.send()
    await check_after(outbox, 5, 5)
    row = await outbox.row(number)
    assert (row.status, row.settled_reason) == ("delivered", None)
    rows = await outbox.fetch("SELECT destination, status FROM provider_messages ORDER BY id")
    assert [tuple(each) for each in rows] == [(ADA, "Delivered"), (GRACE, "Delivered")]


async def test_a_list_whose_recipients_end_differently_says_so(outbox: Outbox) -> None:
    outbox.world.switches = outbox.world.switches.changed({"background_threshold": 1})
    number = await outbox.queue(None, list_name="people")
    await outbox.send()
    await check_after(outbox, 5)  # the background send has finished by now
    text = outbox.world.outgoing.texts[0]
    text.steps = (text.steps[0], text.steps[1]._replace(status="Failed"))
    await check_after(outbox, 5)
    row = await outbox.row(number)
    assert row.status == "sent"
    assert "ended differently" in row.settled_reason


async def test_a_text_scheduled_at_the_provider_is_asked_about_when_it_is_due(
    outbox: Outbox,
) -> None:
    later = outbox.now() + timedelta(hours=1)
    number = await outbox.queue(schedule_at=later, schedule_by="provider")
    await outbox.send()
    await check_after(outbox, 1800)
    assert outbox.world.calls.counts["CheckMessageStatus"] == 0
    await check_after(outbox, 1800 + 10)
    assert await outbox.status(number) == "delivered"


async def test_a_text_says_why_it_could_not_be_asked_about(outbox: Outbox) -> None:
    number = await outbox.queue()
    await outbox.send()
    outbox.strike("status", action="CheckMessageStatus", status=500)
    await check_after(outbox, 10)
    assert "HTTP status 500" in (await outbox.row(number)).check_error
    await check_after(outbox, 5)
    row = await outbox.row(number)
    assert (row.status, row.check_error) == ("delivered", None)


@pytest.mark.parametrize("code", [-521, -502])
async def test_a_background_send_that_nobody_knows_is_followed_no_more(
    outbox: Outbox, code: int
) -> None:
    number = await outbox.queue(None, list_name="people")
    await outbox.send()
    outbox.strike("code", action="GetBGMessages", code=code, taken=False)
    for name in ("GetBGSendMessages", "BGMessages", "GetBGSend"):
        outbox.strike("code", action=name, code=code, taken=False)
    await check_after(outbox, 5)
    row = await outbox.row(number)
    assert (row.status, row.check_at) == ("sent", None)
    assert str(code) in row.settled_reason


async def test_a_background_send_without_messages_may_not_have_begun(outbox: Outbox) -> None:
    number = await outbox.queue(None, list_name="people")
    await outbox.send()
    outbox.strike("code", action="GetBGMessages", code=-523, taken=False, times=2)
    await check_after(outbox, 5)
    row = await outbox.row(number)
    assert (row.settled_at, "-523" in row.check_error) == (None, True)
    await check_after(outbox, 900)
    assert "-523" in (await outbox.row(number)).settled_reason


async def test_a_background_send_that_goes_on_is_no_failure(outbox: Outbox) -> None:
    number = await outbox.queue(None, list_name="people")
    await outbox.send()
    outbox.strike("code", action="GetBGMessages", code=-522, taken=False)
    await check_after(outbox, 5)
    row = await outbox.row(number)
    assert (row.settled_at, row.check_error) == (None, None)
    await check_after(outbox, 5, 10)
    assert await outbox.status(number) == "delivered"


async def test_an_id_that_another_text_has_is_kept_by_both_and_told_of(outbox: Outbox) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        is_send = b"Action=Send" in request.content
        return httpx2.Response(200, text="4711" if is_send else "152")

    first = await outbox.queue()
    await outbox.send_to(answer)
    second = await outbox.queue(GRACE)
    await outbox.send_to(answer)
    assert [await outbox.ids(each) for each in (first, second)] == [["4711"], ["4711"]]
    assert [await outbox.status(each) for each in (first, second)] == ["sent", "sent"]
    [alert] = await outbox.database.read(list_alerts, before=None, limit=9, is_open=True)
    assert (alert.kind, alert.subject) == ("provider-id-repeated", "4711")
    assert f"/outbox/{first} and /outbox/{second}" in alert.action
    outbox.pass_seconds(5)
    async with outbox.make_client(lambda _: httpx2.Response(200, text="Delivered")) as client:
        checker = outbox.make_checker()
        checker.client = client
        await checker.check_due()
    assert [await outbox.status(each) for each in (first, second)] == ["delivered", "delivered"]


async def test_what_is_said_of_an_earlier_try_ends_no_text_that_is_sent_again(
    outbox: Outbox,
) -> None:
    number = await outbox.queue()
    await outbox.send()
    [provider_id] = await outbox.ids(number)
    again = "status = 'sending', attempts = 2, check_at = NULL"
    await outbox.database.write(
        lambda conn: conn.exec_driver_sql(f"UPDATE outbound SET {again} WHERE id = {number}")
    )
    late = StatusReport(number, provider_id, "Delivered")
    await outbox.database.write(record_statuses, [late], "report", outbox.now())
    row = await outbox.row(number)
    assert (row.status, row.settled_at) == ("sending", None)
    assert await outbox.fetch("SELECT * FROM daily_counts WHERE name = 'delivered'") == []


async def test_a_word_about_an_id_that_has_had_its_last_or_is_not_the_texts_is_no_news(
    outbox: Outbox,
) -> None:
    number = await outbox.queue()
    await outbox.send()
    [provider_id] = await outbox.ids(number)
    heard = []
    for id_, word in ((provider_id, "Delivered"), (provider_id, "Failed"), ("99", "Failed")):
        report = StatusReport(number, id_, word)
        heard.append(await outbox.database.write(record_statuses, [report], "report", outbox.now()))
    assert heard == [1, 0, 0]
    assert await outbox.status(number) == "delivered"
    assert await outbox.ids(number) == [provider_id]
    assert [each[0] for each in await outbox.history(number)] == ["sent", "delivered"]


async def test_a_text_that_is_followed_no_more_stays_as_it_is(outbox: Outbox) -> None:
    number = await outbox.queue()
    await outbox.send()
    [provider_id] = await outbox.ids(number)
    given_up = f"settled_at = due_at, settled_reason = '{NO_FINAL_WORD}', check_at = NULL"
    await outbox.database.write(
        lambda conn: conn.exec_driver_sql(f"UPDATE outbound SET {given_up} WHERE id = {number}")
    )
    late = StatusReport(number, provider_id, "Delivered")
    await outbox.database.write(record_statuses, [late], "report", outbox.now())
    row = await outbox.row(number)
    assert (row.status, row.settled_reason) == ("sent", NO_FINAL_WORD)
    assert await outbox.history(number) == [
        ("sent", "send", None),
        ("sent", "report", "Delivered"),
    ]
