"""Notifications on both databases, sent by Apprise to a server of ours: what is told, and when."""

import pytest
from apprise import Apprise

from app.domain.errors import Conflict
from app.flows.operations.notifications import manage_notify
from app.flows.operations.notifications.deliver_notice import load_apprise
from app.storage.access.audit import list_audit
from app.storage.conversations.conversations import change_conversations
from app.storage.operations.notify_addresses import list_addresses
from tests.flows.operations.notifications.bench import BASE, SEALER, WHO, Bench
from tests.support.clock import NOW
from tests.support.endpoints.notify_target import SECRET


async def test_an_alert_is_told_when_it_opens_and_when_it_is_over(bench: Bench) -> None:
    await bench.open_alert("before")  # nothing of the past is told
    await bench.add("desk")
    await bench.run()
    assert bench.target.taken == {}
    await bench.open_alert("web-1")
    await bench.run()
    assert bench.target.titles("desk") == ["Letterbox: critical alert disk-full"]
    assert bench.target.taken["desk"][0]["type"] == "failure"
    told = bench.target.last("desk")
    assert "CRITICAL: web-1 is full.\nFree it." in told
    assert f"{BASE}/alerts/help#disk-full" in told
    bench.wait(minutes=6)
    await bench.close_alert("web-1")
    await bench.run()
    assert bench.target.titles("desk")[1:] == ["Letterbox: disk-full is over"]
    assert bench.target.taken["desk"][1]["type"] == "success"
    await bench.run()
    assert len(bench.target.taken["desk"]) == 2


async def test_what_follows_within_five_minutes_comes_in_one_digest(bench: Bench) -> None:
    await bench.add("desk")
    await bench.open_alert("web-1")
    await bench.run()
    for number in range(2, 32):
        await bench.open_alert(f"web-{number}")
        await bench.run()
    await bench.close_alert("web-1")
    bench.wait(seconds=299)
    await bench.run()
    assert len(bench.target.taken["desk"]) == 1
    bench.wait(seconds=1)
    await bench.run()
    [_, digest] = bench.target.taken["desk"]
    assert digest["title"] == "Letterbox: 30 alerts, critical first, disk-full is over"
    assert "… and 10 more." in digest["message"]


async def test_services_that_show_html_get_it_escaped_and_long_ones_are_cut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_apprise()
    plugin = type(Apprise.instantiate("json://localhost"))
    monkeypatch.setattr(plugin, "body_maxlen", 300)
    await bench.add("desk?format=html")
    await bench.open_alert("<b>web-1</b>")
    for number in range(9):
        await bench.open_alert(f"web-{number}")
    await bench.run()
    [message] = bench.target.taken["desk"]
    assert "&lt;b&gt;" in message["message"]
    assert "<b>" not in message["message"]
    assert len(message["message"]) <= 300


async def test_only_texts_that_need_an_answer_are_told_without_their_words(bench: Bench) -> None:
    await bench.add("desk", alerts=False, texts=True, numbers=("447700900100",))
    await bench.receive(body="Is my order ready?", source="447700900011")
    await bench.receive(body="STOP", source="447700900012")
    await bench.receive(body="For another number", dest="447700900200")
    await bench.run()
    [message] = bench.target.taken["desk"]
    assert message["title"] == "Letterbox: 1 conversation needs an answer"
    assert "Anna (+44 7700 900011) to +44 7700 900100" in message["message"]
    assert f"{BASE}/conversations/" in message["message"]
    assert "order" not in message["message"]


async def test_quiet_hours_hold_texts_back_in_their_zone_but_no_alert(bench: Bench) -> None:
    # It is 13:00 in London.
    address = await bench.add(
        "desk", texts=True, quiet_from="12:30", quiet_until="14:00", zone="Europe/London"
    )
    await bench.receive()
    await bench.run()
    assert bench.target.taken == {}
    await bench.open_alert("web-1")
    await bench.run()
    assert bench.target.titles("desk") == ["Letterbox: critical alert disk-full"]
    bench.wait(minutes=59)
    await bench.run()
    assert len(bench.target.taken["desk"]) == 1
    bench.wait(minutes=1)
    await bench.run()
    assert bench.target.titles("desk")[1:] == ["Letterbox: 1 conversation needs an answer"]
    assert (await bench.read(address)).failures == 0


async def test_what_was_done_before_the_quiet_hours_end_is_not_told(bench: Bench) -> None:
    await bench.add("desk", texts=True, quiet_from="11:00", quiet_until="13:00")
    await bench.receive(source="447700900011")
    await bench.receive(source="447700900012")
    await bench.run()
    await bench.database.write(change_conversations, [1], {"state": "done"}, bench.now)
    bench.wait(hours=1)
    await bench.run()
    [message] = bench.target.taken["desk"]
    assert message["title"] == "Letterbox: 1 conversation needs an answer"
    assert "900012" in message["message"]


async def test_a_summary_comes_once_a_day_at_its_time(bench: Bench) -> None:
    await bench.add("desk", alerts=False, summary_at="08:00", zone="Europe/London")
    await bench.receive()
    await bench.run()  # its time had passed when it was added
    assert bench.target.taken == {}
    bench.now = NOW.replace(day=2, hour=6, minute=59)
    await bench.run()
    assert bench.target.taken == {}
    bench.wait(minutes=1)
    await bench.run()
    await bench.run()
    [summary] = bench.target.taken["desk"]
    assert summary["title"] == "Letterbox: daily summary"
    assert "Summary of 2026-06-01 (UTC):\n- texts received: 1\n" in summary["message"]
    bench.wait(days=1, hours=5)  # late, because nothing ran
    await bench.run()
    assert len(bench.target.taken["desk"]) == 2


async def test_enabling_again_tells_nothing_of_the_past(bench: Bench) -> None:
    address = await bench.add("desk", texts=True, summary_at="12:30")
    await bench.database.write(manage_notify.disable_address, address.id, who=WHO, now=bench.now)
    await bench.open_alert("web-1")
    await bench.receive()
    bench.wait(days=6, hours=1)
    await bench.run()
    await bench.database.write(manage_notify.enable_address, address.id, who=WHO, now=bench.now)
    await bench.run()
    assert bench.target.taken == {}
    await bench.open_alert("web-2")
    await bench.run()
    assert "web-1" not in bench.target.last("desk")


async def test_a_test_goes_out_at_once_and_says_whether_it_works(bench: Bench) -> None:
    address = await bench.add("desk", summary_at="23:00")
    await bench.open_alert("web-1")
    await bench.run()
    await bench.database.write(manage_notify.request_test, address.id, who=WHO, now=bench.now)
    await bench.run()
    assert bench.target.titles("desk")[1:] == ["Letterbox: test"]
    bench.target.modes["desk"] = "500"
    await bench.database.write(manage_notify.request_test, address.id, who=WHO, now=bench.now)
    await bench.run()
    assert "500" in (await bench.read(address)).last_error
    await bench.database.write(manage_notify.disable_address, address.id, who=WHO, now=bench.now)
    with pytest.raises(Conflict, match="disabled"):
        await bench.database.write(manage_notify.request_test, address.id, who=WHO, now=bench.now)


async def test_addresses_of_the_setting_hear_of_alerts_and_are_changed_only_there(
    bench: Bench,
) -> None:
    await bench.run(bench.make_notifier(bench.target.address("set")))
    await bench.open_alert("web-1")
    await bench.run()
    assert len(bench.target.taken["set"]) == 1
    [address] = await bench.database.read(list_addresses)
    assert (address.source, address.sealed) == ("settings", None)
    for change in (manage_notify.disable_address, manage_notify.remove_address):
        with pytest.raises(Conflict, match="LETTERBOX_NOTIFY"):
            await bench.database.write(change, address.id, who=WHO, now=bench.now)
    await bench.run(bench.make_notifier())
    assert await bench.database.read(list_addresses) == []


async def test_many_events_that_concern_nobody_are_passed_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.operations.notifications.collect_news.MOST_EVENTS", 2)
    monkeypatch.setattr("app.flows.operations.notifications.notify.MOST_BEHIND", 2)
    address = await bench.add("desk", alerts=False, texts=True)
    for _ in range(5):
        await bench.receive(body="STOP")
    await bench.receive(body="Hello?", source="447700900077")
    for _ in range(6):
        await bench.run()
    assert bench.target.titles("desk") == ["Letterbox: 1 conversation needs an answer"]
    assert (await bench.read(address)).texts_after > address.texts_after


async def test_no_secret_is_stored_audited_or_repeated(bench: Bench) -> None:
    address = await bench.add("desk")
    with pytest.raises(Conflict) as refused:
        await bench.add("desk")
    assert SECRET not in str(refused.value)
    await bench.database.write(manage_notify.remove_address, address.id, who=WHO, now=bench.now)
    entries = await bench.database.read(list_audit, before=None, limit=9)
    assert [each.action for each in entries] == ["notify.remove", "notify.add"]
    assert not any(SECRET in str(each) for each in (*entries, address))
    assert address.sealed is not None
    assert SECRET.encode() not in address.sealed
    assert SECRET in SEALER.open(address.sealed)
