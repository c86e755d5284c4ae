"""An empty inbox leads to the first text and its reply; facts in the database tick each step."""

import re
from pathlib import Path

from tests.flows.desk import set_status
from tests.support.service import make_forward
from tests.support.simulated import ADA
from tests.web.visiting import Visitor, visiting_with_account

STEPS = ["address", "number", "auth", "text", "token", "reply"]
DISMISS = "/conversations/first-steps/dismiss"


def list_done(page: str) -> list[str]:
    found = re.findall(r'<li( class="done")?>\s*<span class="step-mark"', page)
    assert len(found) in {0, len(STEPS)}
    return [name for name, done in zip(STEPS, found, strict=False) if done]


async def test_each_step_is_ticked_by_what_has_happened(database_url: str, tmp_path: Path) -> None:
    async with visiting_with_account(database_url, tmp_path) as visitor:
        page = await visitor.read("/")
        # The address is set, and not this machine's own.
        assert list_done(page) == ["address", "token"]
        assert "2 of 6 done" in page
        assert 'href="/numbers">Add your number</a>' in page
        sent = {"number": "447700900100"}
        answer = await visitor.running.send("POST", "/numbers", sent)
        assert list_done(await visitor.read("/")) == ["address", "number", "token"]
        auth = answer["auth"][0]["value"]
        forward = await visitor.get(f"/inbound?{make_forward('1', auth=auth)}")
        assert forward.text == "OK"
        assert list_done(await visitor.read("/")) == ["address", "number", "auth", "text", "token"]
        await visitor.running.send(
            "POST", "/outbound", {"to": ADA, "source": "447700900100", "body": "Hi"}
        )
        assert "First steps" in await visitor.read("/")
        await visitor.running.runtime.database.write(set_status, 1, "delivered")
        assert "First steps" not in await visitor.read("/")


async def test_the_steps_are_gone_for_good_once_somebody_dismisses_them(
    lone_visitor: Visitor,
) -> None:
    assert "First steps" in await lone_visitor.read("/")
    assert "First steps" not in await lone_visitor.read("/?view=unread")
    assert "First steps" not in await lone_visitor.read("/?q=x")
    page = await lone_visitor.submit(DISMISS)
    assert "The list of first steps is gone." in page
    assert 'id="first-steps"' not in await lone_visitor.read("/")
    [entry] = (await lone_visitor.running.read("/audit?action=first-steps.dismiss"))["items"]
    assert entry["actor"].startswith("member:")
