"""The pages that erase a number or delete a message, without JavaScript."""

import pytest

from app.storage.operations.erasures.erasures import list_erasures
from tests.support.messages import make_message
from tests.web.visiting import Visitor

ADA = "447700900123"


async def test_a_number_is_erased_after_a_question(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.operations.erasures.PATIENCE_SECONDS", 60)
    await visitor.receive(make_message(1, source=ADA, body="forget me"))
    assert "Nothing erased yet" in await visitor.read("/erasures")
    asked = await visitor.post("/erasures", {"number": "07700 900123"})
    assert "Erase +44 7700 900123?" in asked.text
    assert await visitor.running.runtime.database.read(list_erasures, before=None, limit=5) == []
    done = await visitor.post("/erasures", {"number": ADA, "sure": "yes"})
    assert done.status_code == 303
    page = await visitor.read(done.headers["location"])
    assert "Number that ends in 123" in page
    assert "Nothing is left" in page
    assert "<code>messages</code>" in page
    assert ADA not in page
    assert "ends in 123" in await visitor.read("/erasures")
    assert "erased the number that ends in …123" in await visitor.read("/audit")


async def test_what_is_no_number_is_named_in_the_form(visitor: Visitor) -> None:
    answer = await visitor.post("/erasures", {"number": "Ada"})
    assert answer.status_code == 422
    assert 'id="number-error"' in answer.text


async def test_a_message_is_deleted_after_a_question(visitor: Visitor) -> None:
    await visitor.receive(
        make_message(1, source=ADA, body="delete me"), make_message(2, source=ADA, body="keep me")
    )
    assert "/messages/1/delete" in await visitor.read("/messages/1")
    assert "delete me" in await visitor.read("/messages/1/delete")
    done = await visitor.post("/messages/1/delete", {})
    assert done.headers["location"].endswith("/conversations/1")
    page = await visitor.read("/conversations/1")
    assert "keep me" in page
    assert "delete me" not in page
    assert (await visitor.get("/messages/1")).status_code == 404
    last = await visitor.post("/messages/2/delete", {})
    assert last.headers["location"] == "/"
