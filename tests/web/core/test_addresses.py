"""Addresses that nobody got from us: none of them is a failure of ours."""

from urllib.parse import quote

import pytest

from tests.web.visiting import Visitor

HUGE = "9" * 20


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "path",
    [
        f"/outbox/{HUGE}",
        f"/outbox?before=5-{HUGE}",
        f"/outbox?before={HUGE}-1",
        f"/outbox?before=-{HUGE}-1",
        "/outbox?since=2026-06-01&until=9000-01-01",
        f"/keys/{HUGE}/revoke",
        f"/contacts/imports/{HUGE}",
        f"/audit?before={HUGE}",
        "/audit?since=9999-12-31&until=0001-01-01",
        f"/numbers/{'x' * 300}",
        "/groups/change?name=a&action=b",
        *(
            f"{path}{quote(chr(0))}"
            for path in (
                "/numbers/",
                "/refusals?number=",
                "/opt-outs?q=",
                "/outbox?to=",
                "/outbox?status=",
                "/audit?actor=",
                "/contacts?q=",
            )
        ),
    ],
)
@pytest.mark.alike
async def test_an_odd_address_is_a_page(shared_visitor: Visitor, path: str) -> None:
    answer = await shared_visitor.get(path)
    assert answer.status_code in {200, 404, 422, 503}
    assert "Letterbox failed" not in answer.text
