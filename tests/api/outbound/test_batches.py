"""/batches, changes of waiting texts, and saved replies over REST."""

from typing import Any

import pytest

from app.flows.outbound.batches.send_batch import advance_batches
from tests.api.post import SHOP, Post
from tests.support.simulated import ADA, GRACE

ROWS = [
    {"number": "07700 900011", "name": "Ada"},
    {"number": GRACE, "name": ""},
]
BATCH = {"source": SHOP, "body": "Hello {name|there}", "rows": ROWS}
LATER = "2026-06-02T09:00:00.000000Z"


async def create(post: Post, status: int = 202, key: str | None = None, **changes: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await post.api.call("POST", "/batches", json=BATCH | changes, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def advance(post: Post) -> None:
    runtime = post.api.runtime
    while await advance_batches(runtime.database, runtime.now()):
        pass


async def list_texts(post: Post, **params: Any) -> list[tuple[str, str]]:
    items = (await post.api.read("/outbound", params=params))["items"]
    return sorted((each["to"], each["body"]) for each in items)


async def test_rows_fill_the_body_and_the_batch_counts_its_texts(post: Post) -> None:
    made = await create(post, reference="spring")
    assert made["counts"] == {"queued": 2}
    assert (made["rows"], made["parts"], made["estimated_credits"]) == (2, 2, 2)
    await advance(post)
    assert await list_texts(post, batch_id=made["id"]) == [
        (ADA, "Hello Ada"),
        (GRACE, "Hello there"),
    ]
    assert await list_texts(post, reference="spring") == await list_texts(post)
    assert await list_texts(post, batch_id="bat_zz") == []
    found = await post.api.read(f"/batches/{made['id']}")
    assert found["state"] == "done"
    assert found["counts"] == {"queued": 2}
    assert (await post.api.read("/batches"))["items"] == [found]


async def test_all_get_the_same_text_where_numbers_are_named(post: Post) -> None:
    numbers = [f"447700900{each:03}" for each in range(150)]
    made = await create(post, to=numbers, rows=None, body="Hello")
    await advance(post)
    assert len(await list_texts(post, batch_id=made["id"], limit=500)) == 150


async def test_a_send_to_several_is_a_batch_as_well(post: Post) -> None:
    answer = await post.send([ADA, GRACE])
    [batch_id] = {each["batch_id"] for each in answer["items"]}
    found = await post.api.read(f"/batches/{batch_id}")
    assert found["counts"] == {"queued": 2}
    assert found["state"] == "done"


async def test_each_bad_row_is_named_and_nothing_is_queued(post: Post) -> None:
    await post.api.send("POST", "/opt-outs", {"number": GRACE})
    rows = [*ROWS, {"number": "nobody"}, {"name": "Bob"}, {"number": "447700900011"}]
    problem = await create(post, 422, rows=rows)
    assert [(each["field"], each["code"]) for each in problem["errors"]] == [
        ("rows.1", "opted-out"),
        ("rows.2", "not-a-number"),
        ("rows.3", "not-a-number"),
        ("rows.4", "repeated"),
    ]
    assert (await post.api.read("/batches"))["items"] == []
    made = await create(post, rows=rows, skip_invalid=True)
    assert made["counts"] == {"queued": 1}
    assert made["left_out"] == 4
    assert [each["row"] for each in made["skipped"]] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rows": None}, "to"),
        ({"to": [ADA]}, "to"),
        ({"rows": []}, "rows"),
        ({"rows": [{"number": ADA}] * 10_001}, "rows"),
        ({"rows": [{"number": 7}]}, "rows.0.number"),
        ({"body": "Hello {nobody}"}, "body"),
        ({"source": "a name that is too long"}, "source"),
        ({"schedule_at": "2020-01-01T00:00:00Z"}, "schedule_at"),
    ],
)
async def test_what_is_wrong_with_all_of_it_names_the_field(
    lone_post: Post, changes: dict[str, Any], field: str
) -> None:
    problem = await create(lone_post, 422, **changes)
    assert [each["field"] for each in problem["errors"]] == [field]


async def test_the_same_key_makes_one_batch(post: Post) -> None:
    first = await create(post, key="k")
    await advance(post)
    assert await create(post, key="k") == first
    await create(post, 422, key="k", body="Another")
    await advance(post)
    assert len(await list_texts(post)) == 2
    assert len((await post.api.read("/batches"))["items"]) == 1


async def test_all_that_waits_is_cancelled(post: Post) -> None:
    [single] = (await post.send(GRACE, schedule_at=LATER))["items"]
    made, other = [await create(post, schedule_at=LATER) for _ in range(2)]
    await advance(post)
    answer = await post.api.call("POST", f"/batches/{made['id']}/cancel")
    assert answer.json()["cancelled"] == 2
    assert (await post.api.read(f"/outbound/{single['id']}"))["status"] == "queued"
    assert (await post.api.read(f"/batches/{other['id']}"))["counts"] == {"queued": 2}
    assert answer.json()["counts"] == {"cancelled": 2}
    again = await post.api.call("POST", f"/batches/{made['id']}/cancel")
    assert again.json()["cancelled"] == 0


async def test_a_waiting_text_is_changed_and_its_history_says_so(post: Post) -> None:
    [first] = (await post.send(GRACE, schedule_at=LATER))["items"]
    [text] = (await post.send(ADA, schedule_at=LATER))["items"]
    path = f"/outbound/{text['id']}"
    answer = await post.api.call("PATCH", path, json={"body": "x" * 200})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["parts"], answer.json()["schedule_at"]) == (2, LATER)
    sooner = "2026-06-01T18:00:00.000000Z"
    changed = (await post.api.call("PATCH", path, json={"schedule_at": sooner})).json()
    assert changed["schedule_at"] == sooner
    assert changed["send_before"] == "2026-06-02T18:00:00.000000Z"
    notes = [each["note"] for each in changed["history"]]
    assert notes == [None, "text changed", "time changed to 1 Jun 2026, 19:00 BST"]
    now = (await post.api.call("PATCH", path, json={"schedule_at": None})).json()
    assert now["schedule_at"] is None
    await post.deliver()
    assert await list_texts(post) == [(ADA, "x" * 200), (GRACE, "Hello")]
    refused = await post.api.call("PATCH", path, json={"body": "Too late"})
    assert refused.status_code == 409
    other = await post.api.read(f"/outbound/{first['id']}")
    assert {name: other[name] for name in first} == first
    nobodys = await post.api.call("PATCH", "/outbound/out_99", json={"body": "Hi"})
    assert nobodys.status_code == 404


async def test_a_change_is_refused_where_somebody_else_was_quicker(post: Post) -> None:
    [text] = (await post.send(ADA, schedule_at=LATER))["items"]
    path = f"/outbound/{text['id']}"
    etag = (await post.api.get(path)).headers["etag"]
    changed = await post.api.call("PATCH", path, json={"body": "One"}, headers={"If-Match": etag})
    assert changed.status_code == 200
    stale = await post.api.call("PATCH", path, json={"body": "Two"}, headers={"If-Match": etag})
    assert stale.status_code == 412
    fresh = {"If-Match": changed.headers["etag"]}
    assert (
        await post.api.call("PATCH", path, json={"body": "Two"}, headers=fresh)
    ).status_code == 200


@pytest.mark.parametrize(
    "changes", [{"body": ""}, {"body": "x" * 460}, {"schedule_at": "2020-01-01T00:00:00Z"}]
)
async def test_a_change_that_could_not_be_sent_is_refused(
    lone_post: Post, changes: dict[str, Any]
) -> None:
    [text] = (await lone_post.send(ADA, schedule_at=LATER))["items"]
    answer = await lone_post.api.call("PATCH", f"/outbound/{text['id']}", json=changes)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [*changes]


async def test_saved_replies_are_kept_changed_and_removed(post: Post) -> None:
    api = post.api
    made = await api.call(
        "POST", "/saved-replies", json={"name": "Hours", "body": "Hi {name|there}"}
    )
    assert made.status_code == 201
    path = f"/saved-replies/{made.json()['id']}"
    assert made.headers["location"].endswith(path)
    assert (await api.read("/saved-replies"))["items"] == [made.json()]
    twice = await api.call("POST", "/saved-replies", json={"name": "hours", "body": "x"})
    assert [each["field"] for each in twice.json()["errors"]] == ["name"]
    bad = await api.call("PATCH", path, json={"body": "Hi {nobody}"})
    assert [each["field"] for each in bad.json()["errors"]] == ["body"]
    changed = await api.call("PATCH", path, json={"body": "Hello {1}"})
    assert changed.json()["body"] == "Hello {1}"
    stale = {"If-Match": made.headers["etag"]}
    assert (await api.call("DELETE", path, headers=stale)).status_code == 412
    assert (await api.call("DELETE", path)).status_code == 204
    assert (await api.get(path)).status_code == 404
    actions = [each["action"] for each in (await api.read("/audit"))["items"]]
    assert actions[:3] == ["saved-reply.remove", "saved-reply.change", "saved-reply.create"]


async def test_a_digit_too_few_is_refused_in_a_batch_and_alone_alike(post: Post) -> None:
    rows = [{"number": "0770090004", "name": "Ada"}]
    [in_batch] = (await create(post, 422, rows=rows))["errors"]
    answer = await post.try_to_send("0770090004")
    assert answer.status_code == 422
    [alone] = answer.json()["errors"]
    assert (in_batch["code"], in_batch["detail"]) == (alone["code"], alone["detail"])
    assert in_batch["code"] == "not-a-number"
    assert in_batch["detail"].startswith("no mobile number of its country has so many digits")
    assert await list_texts(post) == []
