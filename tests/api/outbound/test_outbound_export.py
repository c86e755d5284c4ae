"""GET /outbound/export: a file: every text that matches, safe to open in a spreadsheet."""

import csv
import io
import json

import pytest

from app.flows.operations import export
from tests.api.post import Post
from tests.support.simulated import ADA, GRACE


async def test_all_texts_that_match_come_as_csv(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE_ROWS", 2)
    for number in range(5):
        await post.send(ADA, body=f"=Text {number}")
    await post.send(GRACE)
    await post.deliver()
    answer = await post.api.get("/outbound/export", params={"to": ADA})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="outbound-20260601T120000Z.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["body"] for row in rows] == [f"'=Text {number}" for number in range(4, -1, -1)]
    shown = (await post.api.read("/outbound", params={"to": ADA}))["items"][0]
    assert (rows[0]["id"], rows[0]["status"], rows[0]["error.code"]) == (shown["id"], "sent", "")
    assert rows[0]["provider_ids"].split() == shown["provider_ids"]


async def test_all_texts_come_as_lines_of_json(post: Post) -> None:
    await post.send([ADA, GRACE])
    await post.send(None, list="people")
    answer = await post.api.get("/outbound/export", params={"format": "ndjson"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines == (await post.api.read("/outbound"))["items"]
    paged = await post.api.get("/outbound/export", params={"limit": 1})
    assert (paged.status_code, paged.json()["errors"][0]["field"]) == (422, "limit")
