"""What people are told when a proxy says who calls and is not believed."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.cli.operations.doctor import _check_proxies
from app.flows.operations.alarms.raise_alarms import raise_alarms
from app.settings import Settings
from app.storage.inbound.refusals import NewRefusal, add_refusals
from tests.web.visiting import Visitor, visiting

HEADERS = {"X-Forwarded-For": "198.51.100.7"}


async def find_alerts(visitor: Visitor) -> list[tuple[str, str]]:
    """Kind and subject of those that are open."""
    running = visitor.running
    await running.runtime.housekeeper.write_deferred()
    found = await running.read("/alerts", params={"open": "true"})
    return [(each["kind"], each["text"].partition(" ")[0]) for each in found["items"]]


async def test_an_alert_names_the_proxy_and_the_setting(visitor: Visitor) -> None:
    await visitor.get("/sign-in", headers=HEADERS)
    assert await find_alerts(visitor) == [("untrusted-proxy", "127.0.0.1")]
    for _ in range(3):
        await visitor.get("/alerts", headers=HEADERS)
    assert await find_alerts(visitor) == [("untrusted-proxy", "127.0.0.1")]
    shown = await visitor.read("/alerts")
    assert "add it to LETTERBOX_TRUSTED_PROXIES" in shown
    assert "Never add a proxy to LETTERBOX_FORWARDERS" in shown
    later = visitor.running.clock.now + timedelta(days=2)
    await raise_alarms(visitor.running.runtime.database, timezone="Europe/London", now=later)
    assert await find_alerts(visitor) == []


async def test_strangers_raise_no_alert(sqlite_url: str, tmp_path: Path) -> None:
    async with visiting(sqlite_url, tmp_path, name=None) as stranger:
        for path in ("/", "/sign-in", "/alerts", "/livez", "/api/v1/messages"):
            await stranger.get(path, headers=HEADERS)
        assert await find_alerts(stranger) == []


async def test_a_proxy_that_is_trusted_raises_none(sqlite_url: str, tmp_path: Path) -> None:
    trusted = (ipaddress.ip_network("127.0.0.1"),)
    async with visiting(sqlite_url, tmp_path, trusted_proxies=trusted) as visitor:
        await visitor.get("/alerts", headers=HEADERS)
        assert await find_alerts(visitor) == []


async def test_refusals_lead_nobody_to_admit_the_proxy(visitor: Visitor) -> None:
    now = visitor.running.clock.now
    refused = [
        NewRefusal(now, "127.0.0.1", "447700900456", reason, 1)
        for reason in ("forwarder", "untrusted-proxy")
    ]
    await visitor.running.runtime.database.write(add_refusals, refused)
    shown = " ".join((await visitor.read("/refusals")).split())
    assert "not in <code>LETTERBOX_TRUSTED_PROXIES</code>" in shown
    assert "Do not add it to <code>LETTERBOX_FORWARDERS</code>" in shown
    assert "If it is your proxy's address, leave it out" in shown


async def test_the_doctor_names_the_proxies_that_were_not_believed(visitor: Visitor) -> None:
    database = visitor.running.runtime.database
    await visitor.get("/alerts", headers=HEADERS)
    await find_alerts(visitor)
    now = datetime.now(UTC)
    refused = [
        NewRefusal(now, "10.0.0.1", "", "untrusted-proxy", 1),
        NewRefusal(now, "10.0.0.2", "", "forwarder", 1),
        NewRefusal(now - timedelta(days=8), "10.0.0.3", "", "untrusted-proxy", 1),
    ]
    await database.write(add_refusals, refused)

    async def ask(*trusted: str) -> list[str]:
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            trusted_proxies=tuple(ipaddress.ip_network(each) for each in trusted),
        )
        return [each.text.partition(" ")[0] for each in await _check_proxies(settings, database)]

    assert await ask() == ["10.0.0.1", "127.0.0.1"]
    assert await ask("10.0.0.0/8") == ["127.0.0.1"]
