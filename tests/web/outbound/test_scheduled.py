"""What is scheduled: listed, changed before it goes, cancelled; what the provider holds."""

from typing import Any

import pytest

from tests.support.fixtures import on_either
from tests.support.simulated import ADA, GRACE
from tests.web.visiting import Visitor, visiting_with_account

SHOP = "447700900100"
LATER = "2026-06-02T09:00:00Z"

clerk = on_either(visiting_with_account)


async def schedule(visitor: Visitor, to: Any = ADA, **changes: Any) -> None:
    text = {"to": to, "source": SHOP, "body": "See you tomorrow", "schedule_at": LATER}
    await visitor.running.send("POST", "/outbound", text | changes)


async def test_texts_and_batches_that_go_later_are_listed_soonest_first(clerk: Visitor) -> None:
    await schedule(clerk, body="Second", schedule_at="2026-06-02T10:00:00Z")
    await schedule(clerk, body="First")
    await schedule(clerk, [ADA, GRACE], body="To both")
    await schedule(clerk, body="At once", schedule_at=None)
    page = await clerk.read("/scheduled")
    assert page.index("To both") < page.index("First") < page.index("Second")
    assert "At once" not in page
    assert page.count("<tr>") == 5


async def test_text_and_time_are_changed_before_it_goes(clerk: Visitor) -> None:
    await schedule(clerk)
    form = await clerk.read("/outbox/1/edit")
    assert 'value="2026-06-02T10:00"' in form
    changed = {"body": "See you on Monday", "schedule_at": "2026-06-08T10:00"}
    page = await clerk.submit("/outbox/1/edit", changed)
    assert "See you on Monday" in page
    assert "Text changed, time changed to 8 Jun 2026, 10:00 BST" in page
    [text] = (await clerk.running.read("/outbound"))["items"]
    assert text["schedule_at"] == "2026-06-08T09:00:00.000000Z"
    page = await clerk.submit("/outbox/1/edit", changed | {"schedule_at": ""})
    [text] = (await clerk.running.read("/outbound"))["items"]
    assert text["schedule_at"] is None
    assert "Nothing is scheduled" in await clerk.read("/scheduled")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"body": ""}, "body"),
        ({"body": "x" * 460}, "body"),
        ({"schedule_at": "soon"}, "schedule_at"),
    ],
)
async def test_a_mistake_stands_beside_its_field(
    clerk: Visitor, changes: dict[str, str], field: str
) -> None:
    await schedule(clerk)
    form = {"body": "See you", "schedule_at": "2026-06-08T10:00"}
    answer = await clerk.post("/outbox/1/edit", form | changes)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text


async def test_it_is_cancelled_from_the_list(clerk: Visitor) -> None:
    await schedule(clerk)
    page = await clerk.submit("/texts/1/cancel", {"next": "/scheduled"})
    assert "Cancelled: it will not be sent." in page
    assert "Nothing is scheduled" in page
    answer = await clerk.post("/outbox/1/edit", {"body": "x", "schedule_at": ""})
    assert answer.status_code == 303
    assert "Not changed: the text is cancelled already." in await clerk.read("/outbox/1")
