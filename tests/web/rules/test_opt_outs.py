"""Opt-outs are looked up by parts of numbers and names; a verdict is given for whole numbers."""

import re

import pytest

from app.storage.conversations import opt_out_search
from tests.support.messages import make_message
from tests.web.visiting import Visitor

ADA, GRACE, NOBODY = "447700900011", "447700900012", "447700900013"


async def fill(visitor: Visitor) -> None:
    for number, (source, name) in enumerate(((ADA, "Ada <b>"), (GRACE, "Gr\u00e4ce")), start=1):
        fields = {"name": name}
        await visitor.receive(make_message(number, source=source, merge_fields=fields))
        await visitor.submit("/opt-outs", {"number": source, "text": "by phone"})


def list_numbers(page: str) -> list[str]:
    found = re.findall(r'name="number" value="(\d+)"', page)
    return [each for each in found if each]


async def test_opt_outs_are_found_by_parts_of_numbers_and_names(visitor: Visitor) -> None:
    await fill(visitor)
    await visitor.submit("/opt-outs", {"number": "07700 900999"})
    for q, numbers in {
        "07700 900011": [ADA],
        "0900011": [ADA],
        "+44 (0)7700 9000": [GRACE, ADA],
        "900": ["447700900999", GRACE, ADA],
        "ada": [ADA],
        "GRA\u0308CE": [GRACE],
        "gr\u00e4ce 0012": [GRACE],
        "ada 0012": [],
    }.items():
        page = await visitor.read(f"/opt-outs?q={q.replace('+', '%2B')}")
        assert list_numbers(page) == numbers, q
        assert "We may text" not in page
    assert "<mark>Ada</mark> &lt;b&gt;" in await visitor.read("/opt-outs?q=ada")
    assert "+44 7700 <mark>900011</mark>" in await visitor.read("/opt-outs?q=900011")


@pytest.mark.parametrize(
    "q", ["0770090001", "77009", "12", "60777", "STOP", "Zoe", "0770090001399"]
)
async def test_only_a_whole_number_may_be_called_free(lone_visitor: Visitor, q: str) -> None:
    page = await lone_visitor.read(f"/opt-outs?q={q}")
    assert "We may text" not in page
    assert "No such opt-out" in page


@pytest.mark.parametrize("q", ["07700 900013", "%2B44 7700 900013", "447700900013"])
async def test_a_whole_number_that_has_not_opted_out_may_be_texted(
    lone_visitor: Visitor, q: str
) -> None:
    await fill(lone_visitor)
    assert "We may text +44 7700 900013" in await lone_visitor.read(f"/opt-outs?q={q}")


async def test_a_look_up_among_many_goes_on_where_it_stopped(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(visitor)
    for number in range(30, 34):
        await visitor.submit("/opt-outs", {"number": f"4477009000{number}"})
    monkeypatch.setattr(opt_out_search, "WALK_ROWS", 4)
    monkeypatch.setattr(opt_out_search, "WINDOW_ROWS", 2)
    page = await visitor.read("/opt-outs?q=ada")
    assert list_numbers(page) == []
    assert "No match so far" in page
    [older] = re.findall(r'href="(/opt-outs\?[^"]+)" rel="next"', page)
    assert list_numbers(await visitor.read(older.replace("&amp;", "&"))) == [ADA]


async def test_a_number_that_cannot_be_read_is_shown_again_with_its_error(
    lone_visitor: Visitor,
) -> None:
    answer = await lone_visitor.post("/opt-outs", {"number": "60777", "text": "by phone"})
    assert answer.status_code == 303
    answer = await lone_visitor.get(answer.headers["location"])
    assert answer.status_code == 422
    assert 'id="number-error"' in answer.text
    assert 'value="by phone"' in answer.text
    assert (await lone_visitor.get("/opt-outs?form=unknown")).status_code == 404
