"""Makes the pictures of the documentation from the demo: `make screenshots`.

It runs `letterbox demo`, lets people text for a while, does what an office does with their texts,
and looks at the main pages as a browser shows them.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from app.domain.ids import decode_id
from app.storage.db.database import Connection, open_database
from app.storage.operations.daily_counts import CountName, DailyCounts
from tests.support.chromium import ARGUMENTS, MISSING, find_chromium
from tests.support.service import LETTERBOX, find_free_port, make_environment, wait_until

IMAGES = Path(__file__).parent / "images"
NUMBER, HELPLINE = "447700900001", "447700900002"
DAYS = 28
DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 780}
TEXTS = 24
# One row of it cannot be sent.
BATCH = """\
number,name,order
447700900010,Ada Lovelace,C-1001
447700900012,,C-1002
(none),Grace Hopper,C-1003
"""
# Some texts that a page must be able to show, besides those of the demo's people.
EXTRA = (
    ("447700900020", "مرحبا، هل أنتم مفتوحون يوم الجمعة؟"),
    ("447700900021", "Could you call me back? I am in until 5 👍🏽"),
    ("447700900022", "שלום, מתי ההזמנה שלי מגיעה?"),
)


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo, as it tells of itself."""

    url: str
    provider: str
    key: str
    link: str
    folder: Path

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the REST interface."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return _ask(f"{self.url}/api/v1{path}", method, body, headers)

    def text(self, source: str, body: str) -> None:
        """Somebody texts the demo's number."""
        order = {"source": source, "dest": NUMBER, "body": body}
        _ask(f"{self.provider}/_simulator/texts", "POST", order, {})


@contextmanager
def run_demo() -> Iterator[Demo]:
    """`letterbox demo` with a text a second."""
    port = find_free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        environment = make_environment(inbound_auth=None, api_key=None, port=port)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [LETTERBOX, "demo", "--text-every", "1"],
                env=environment,
                cwd=folder,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(lambda: "/sign-in?" in log.read_text(), seconds=120, what=log)
            yield read_demo(log.read_text(), port)
        finally:
            process.terminate()
            process.wait(20)


def read_demo(said: str, port: int) -> Demo:
    def find(pattern: str) -> str:
        found = re.search(pattern, said)
        if found is None:
            raise SystemExit(f"the demo does not say {pattern}:\n{said}")
        return found[1]

    return Demo(
        f"http://127.0.0.1:{port}",
        find(r"LETTERBOX_PROVIDER_URL=(\S+)/api"),
        find(r"Bearer ([^\"]+)\""),
        find(r"(http\S+/sign-in\?\S+)"),
        Path(find(r"LETTERBOX_DATA_DIR=(\S+)")),
    )


def furnish(demo: Demo) -> None:
    """A few weeks behind it, a second number, replies by hand, and texts that fail."""
    demo.call("POST", "/numbers", {"number": HELPLINE, "label": "Helpline"})
    for source, body in EXTRA:
        demo.text(source, body)
    wait_until(lambda: count_texts(demo) >= TEXTS, seconds=240, what="enough texts")
    write_history(demo.folder / "letterbox.sqlite3")
    for to, body in (
        ("447700900804", "Your parcel is at the front desk."),
        ("447700900803", "The table for two is yours at 19.30."),
        ("447700900020", "نعم، من العاشرة حتى الرابعة."),
    ):
        demo.call("POST", "/outbound", {"to": to, "source": NUMBER, "body": body})
    later = datetime.now(UTC) + timedelta(days=1)
    scheduled = {"to": "447700900022", "source": NUMBER, "body": "Your order leaves today."}
    demo.call("POST", "/outbound", scheduled | {"schedule_at": f"{later:%Y-%m-%dT09:00:00Z}"})
    time.sleep(12)  # until most statuses have turned


def count_texts(demo: Demo) -> int:
    return len(demo.call("GET", "/messages?limit=500")["items"])


def write_history(path: Path) -> None:
    """Four weeks of counts: they show how the plots look in earnest."""

    async def write() -> None:
        database = open_database("", path)
        try:
            await database.write(_write_counts)
        finally:
            await database.close()

    asyncio.run(write())


def _write_counts(conn: Connection) -> None:
    random = Random(7)
    counts = DailyCounts()
    now = datetime.now(UTC)
    for back in range(1, DAYS):
        at = now - timedelta(days=back)
        quiet = at.weekday() >= 5
        for number, size in ((NUMBER, 38), (HELPLINE, 14)):
            received = round(size * (0.35 if quiet else 1) * random.uniform(0.75, 1.25))
            sent = round(received * random.uniform(0.8, 1.1))
            failed = random.choice((0, 0, 1, 1, 2))
            counted: dict[CountName, int] = {
                "received": received,
                "sent": sent,
                "delivered": sent - failed,
                "failed": failed,
                "replied": sent,
                "reply_seconds": round(sent * random.uniform(1.5, 4)),
                "reported": received,
            }
            for name, value in counted.items():
                counts.add(name, number, at, value)
    counts.write(conn)


def take(browser: Browser, demo: Demo) -> None:
    """Every picture, as somebody sees the pages who signed in by the demo's link."""
    context = browser.new_context(
        base_url=demo.url, viewport=DESK, color_scheme="light", timezone_id="Europe/London"
    )
    page = context.new_page()
    page.goto(demo.link)
    page.get_by_role("button", name="Sign in").click()
    person = find_conversation(demo, "447700900010")
    reply(page, person, "Yes, it is: we keep it for you until six.")
    for name, path in (
        ("inbox", "/"),
        ("conversation", person),
        ("overview", "/overview"),
        ("outbox", "/outbox"),
    ):
        shoot(page, path, name)
    take_the_steps(page, demo)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    shoot(page, "/", "phone-inbox")
    shoot(page, person, "phone-conversation")
    context.close()


def take_the_steps(page: Page, demo: Demo) -> None:
    """What docs/getting-started.md and the guide of the office show step by step."""
    page.goto("/numbers")
    page.fill("#number", "07700 900456")
    page.fill("#label", "Front desk")
    page.get_by_role("button", name="Add number").click()
    # The value is shown once, and ends with the demo.
    save(page, "number-added")
    forward(demo.url, "a-mistyped-value")
    wait_until(lambda: demo.call("GET", "/refusals")["items"] != [], what="the refusal")
    shoot(page, "/refusals", "refusals")
    page.goto("/rules/new")
    page.fill("#name", "Opening hours")
    page.fill("#keyword", "hours")
    page.fill("#reply", "{name|Hello}, we are open from nine to five, Monday to Friday.")
    save(page, "rule")
    page.goto("/batches/new")
    page.fill("#csv", BATCH)
    page.fill("#body", "Hello {name|there}, your order {order} is ready.")
    page.get_by_role("button", name="Check rows").click()
    save(page, "batch")


def forward(url: str, auth: str) -> None:
    """A forward as the provider makes it, with a value that nobody knows."""
    query = f"source=447700900123&dest=447700900456&msg=Hello&id=1&auth={auth}"
    with suppress(HTTPError):
        urlopen(f"{url}/inbound?{query}", timeout=20)


def find_conversation(demo: Demo, source: str) -> str:
    """The address of the page of somebody's conversation."""
    found = demo.call("GET", "/conversations?limit=500")["items"]
    [one] = [each for each in found if each["source"] == source]
    return f"/conversations/{decode_id('cnv', one['id'])}"


def reply(page: Page, path: str, body: str) -> None:
    page.goto(path)
    page.fill("#body", body)
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_timeout(8000)  # until its status has turned


def shoot(page: Page, path: str, name: str) -> None:
    page.goto(path)
    if path.startswith("/conversations/"):
        # A dash that only Unicode has, which the count beneath tells of.
        page.fill("#body", "Anything else \N{EN DASH} just text us.")
    if path.startswith("/conversations/"):
        page.locator("#reply").scroll_into_view_if_needed()
    save(page, name)


def save(page: Page, name: str) -> None:
    page.wait_for_timeout(1500)  # what has just arrived is marked for a moment
    target = IMAGES / f"{name}.png"
    page.screenshot(path=target, full_page=name == "overview")
    print(f"{target.relative_to(IMAGES.parents[1])}  {target.stat().st_size // 1024} KiB")


def _ask(url: str, method: str, body: Any, headers: dict[str, str]) -> Any:
    content = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, content, headers, method=method), timeout=20) as answer:
        return json.load(answer)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with run_demo() as demo:
        furnish(demo)
        with sync_playwright() as playwright:
            found = find_chromium(Path(playwright.chromium.executable_path))
            if found is None:
                sys.exit(MISSING)
            browser = playwright.chromium.launch(executable_path=found, args=[*ARGUMENTS])
            take(browser, demo)
            browser.close()


if __name__ == "__main__":
    main()
