"""What a rule's conditions mean, which rule answers, and what is refused when one is saved."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.errors import InvalidInput
from app.domain.inbound.messages import StoredMessage
from app.domain.rules.rules import (
    LONGEST_COOLDOWN_SECONDS,
    Rule,
    RulesByKeyword,
    find_rule,
    list_keywords,
    prepare_rule,
    sort_rules,
)
from tests.conftest import NOW
from tests.support.messages import make_stored


def make_rule(**fields: Any) -> Rule:
    return Rule(**{"name": "test", "timezone": "Europe/London", "reply": "Thanks", **fields})


def save(**fields: Any) -> Rule:
    return prepare_rule(make_rule(**fields), region="GB", own_names=("colour",))


@pytest.mark.parametrize(
    ("keyword", "body", "holds"),
    [
        ("hours", "Hours", True),
        ("HOURS", "hours please", True),
        ("hours", "  'Hours?' when", True),
        ("hours", "HOURS,now", True),
        ("hours", "... hours", True),
        ("hours", "\U0001f44b hours", True),
        ("hours", "hours\U0001f44b", True),
        ("hours", "your hours", False),
        ("hours", "hoursss", False),
        ("hours", "", False),
        ("Opt-in", "OPTIN", True),
        ("caf\u00e9", "CAFE\u0301 please", True),
        ("\u0928\u092e\u0938\u094d\u0924\u0947", "\u0928\u092e\u0938\u094d\u0924\u0947 ji", True),
        ("don't", "Don\u2019t call", True),
    ],
)
def test_a_keyword_is_the_first_word_without_case_and_punctuation(
    keyword: str, body: str, holds: bool
) -> None:
    assert make_rule(keyword=keyword).matches(make_stored(body)) is holds


@pytest.mark.parametrize(
    ("condition", "text", "holds"),
    [
        ({}, make_stored(), True),
        ({"contains": "opening HOURS"}, make_stored("your Opening hours?"), True),
        ({"contains": "hours"}, make_stored("ours"), False),
        ({"pattern": r"\bor?der\s+#?\d+"}, make_stored("My ORDER #12"), True),
        ({"pattern": "^a"}, make_stored("ba"), False),
        ({"source_prefix": "4477"}, make_stored(), True),
        ({"source_prefix": "49"}, make_stored(), False),
        ({"dest": "447700900100"}, make_stored(), True),
        ({"dest": "447700900101"}, make_stored(), False),
        ({"valid_from": NOW}, make_stored(), True),
        ({"valid_from": NOW + timedelta(seconds=1)}, make_stored(), False),
        ({"valid_until": NOW}, make_stored(), False),
        ({"valid_until": NOW + timedelta(seconds=1)}, make_stored(), True),
        ({"keyword": "hello", "contains": "anna"}, make_stored("Hello Bob"), False),
        ({"keyword": "hello", "contains": "anna"}, make_stored("Hello Anna"), True),
    ],
)
def test_every_stated_condition_must_hold(
    condition: dict[str, Any], text: StoredMessage, holds: bool
) -> None:
    assert make_rule(**condition).matches(text) is holds


def test_a_pattern_looks_at_the_first_4_kib() -> None:
    rule = make_rule(pattern="needle")
    assert rule.matches(make_stored("\u00e9" * 2000 + "needle"))
    assert not rule.matches(make_stored("\u00e9" * 2048 + "needle"))
    assert not rule.matches(make_stored("\u00e9" * 2047 + "x\u00e9needle"))


def test_no_pattern_takes_long() -> None:
    assert not make_rule(pattern=r"(a|a)*(a|aa)+$").matches(make_stored("a" * 4000 + "b"))


def test_the_first_enabled_rule_by_position_answers() -> None:
    rules = sort_rules(
        [
            make_rule(position=2, name="draft"),
            make_rule(id=5, position=2, name="younger"),
            make_rule(id=1, position=2, name="second"),
            make_rule(id=2, position=1, name="off", enabled=False),
            make_rule(id=3, position=1, name="other", keyword="other"),
        ]
    )
    assert [rule.name for rule in rules] == ["off", "other", "second", "younger", "draft"]
    found = find_rule(rules, make_stored())
    assert found is not None
    assert found.name == "second"
    assert find_rule(rules[:2], make_stored()) is None


def test_rules_with_other_keywords_are_not_asked_and_the_order_stays() -> None:
    rules = [
        make_rule(name="open", keyword="Open!"),
        make_rule(name="any", contains="x"),
        make_rule(name="close", keyword="close"),
        make_rule(name="again", keyword="OPEN"),
        make_rule(name="last"),
    ]
    by_keyword = RulesByKeyword(rules)
    asked = {
        body: [rule.name for rule in by_keyword.list_for(body)]
        for body in ("open up", "Close", "shut", "", "open")
    }
    assert asked["open up"] == asked["open"] == ["open", "any", "again", "last"]
    assert asked["Close"] == ["any", "close", "last"]
    assert asked["shut"] == asked[""] == ["any", "last"]


# London: clocks go forward on 2026-03-29 at 01:00 UTC, back on 2026-10-25 at 01:00 UTC.
HOURS: list[tuple[dict[str, Any], str, bool]] = [
    ({"from_time": "09:00", "to_time": "17:00"}, "2026-01-15T09:00", True),
    ({"from_time": "09:00", "to_time": "17:00"}, "2026-01-15T08:59", False),
    ({"from_time": "09:00", "to_time": "17:00"}, "2026-01-15T17:00", False),
    ({"from_time": "09:00", "to_time": "17:00"}, "2026-07-15T08:00", True),
    ({"from_time": "09:00", "to_time": "17:00"}, "2026-07-15T16:00", False),
    ({"from_time": "09:00"}, "2026-01-15T23:59", True),
    ({"from_time": "09:00"}, "2026-01-16T00:00", False),
    ({"to_time": "09:00"}, "2026-01-16T00:00", True),
    ({"to_time": "09:00"}, "2026-01-16T09:00", False),
    ({"from_time": "18:00", "to_time": "00:00"}, "2026-01-16T23:59", True),
    ({"from_time": "18:00", "to_time": "00:00"}, "2026-01-16T00:00", False),
    ({"days": ("fri",)}, "2026-01-16T00:00", True),
    ({"days": ("fri",)}, "2026-01-17T00:00", False),
    # a summer's Friday begins at 23:00 UTC
    ({"days": ("fri",)}, "2026-07-16T23:00", True),
    ({"days": ("fri",)}, "2026-07-17T23:00", False),
    # past midnight belongs to the day it began
    ({"days": ("fri",), "from_time": "22:00", "to_time": "06:00"}, "2026-01-16T22:00", True),
    ({"days": ("fri",), "from_time": "22:00", "to_time": "06:00"}, "2026-01-17T05:59", True),
    ({"days": ("fri",), "from_time": "22:00", "to_time": "06:00"}, "2026-01-17T06:00", False),
    ({"days": ("fri",), "from_time": "22:00", "to_time": "06:00"}, "2026-01-16T05:00", False),
    ({"days": ("fri",), "from_time": "22:00", "to_time": "06:00"}, "2026-01-17T22:00", False),
    # the night in which clocks go forward: 00:59 GMT, then 02:00 BST
    ({"days": ("sat",), "from_time": "22:00", "to_time": "02:30"}, "2026-03-29T00:59", True),
    ({"days": ("sat",), "from_time": "22:00", "to_time": "02:30"}, "2026-03-29T01:29", True),
    ({"days": ("sat",), "from_time": "22:00", "to_time": "02:30"}, "2026-03-29T01:30", False),
    ({"from_time": "01:00", "to_time": "02:00"}, "2026-03-29T01:00", False),
    ({"from_time": "01:00", "to_time": "02:00"}, "2026-03-29T00:59", False),
    ({"from_time": "09:00", "to_time": "17:00"}, "2026-03-29T08:00", True),
    ({"from_time": "09:00", "to_time": "17:00"}, "2026-03-28T08:00", False),
    # the hour that comes twice: 01:00 BST to 01:59 BST, then 01:00 GMT to 01:59 GMT
    ({"from_time": "01:00", "to_time": "02:00"}, "2026-10-25T00:00", True),
    ({"from_time": "01:00", "to_time": "02:00"}, "2026-10-25T01:59", True),
    ({"from_time": "01:00", "to_time": "02:00"}, "2026-10-25T02:00", False),
    ({"days": ("sun",)}, "2026-10-24T23:00", True),
    ({"days": ("sun",)}, "2026-10-25T23:30", True),
    ({"days": ("sun",)}, "2026-10-26T00:00", False),
    (
        {"timezone": "Asia/Kolkata", "from_time": "09:00", "to_time": "10:00"},
        "2026-06-01T03:30",
        True,
    ),
    (
        {"timezone": "Asia/Kolkata", "from_time": "09:00", "to_time": "10:00"},
        "2026-06-01T04:30",
        False,
    ),
    # the day after which comes a leap day, and the night of a new year
    ({"days": ("tue",)}, "2028-02-29T12:00", True),
    ({"days": ("thu",), "from_time": "22:00", "to_time": "02:00"}, "2027-01-01T01:59", True),
    # Samoa went from Thursday to Saturday; Egypt's clocks skip midnight, Cuba's repeat it
    *(
        ({"timezone": zone, "days": (day,), "from_time": "22:00", "to_time": "06:00"}, utc, holds)
        for zone, day, utc, holds in [
            ("Pacific/Apia", "thu", "2011-12-30T10:30", True),
            ("Pacific/Apia", "fri", "2011-12-30T10:30", False),
            ("Africa/Cairo", "thu", "2026-04-23T22:30", True),
            ("Africa/Cairo", "fri", "2026-04-23T22:30", False),
            ("America/Havana", "sat", "2026-11-01T05:30", True),
            ("America/Havana", "sun", "2026-11-01T05:30", False),
        ]
    ),
]


@pytest.mark.parametrize(("hours", "utc", "holds"), HOURS)
def test_days_and_hours_are_those_of_the_rules_zone(
    hours: dict[str, Any], utc: str, holds: bool
) -> None:
    moment = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert make_rule(**hours).matches(make_stored(arrived_at=moment)) is holds


def test_keywords_are_those_of_enabled_rules_of_the_number_that_are_valid() -> None:
    rules = [
        make_rule(keyword="Cancel"),
        make_rule(keyword="end", dest="447700900101"),
        make_rule(keyword="quit", enabled=False),
        make_rule(keyword="revoke", valid_until=NOW),
        make_rule(contains="remove"),
    ]
    assert list_keywords(rules, "447700900100", NOW) == {"cancel"}


def test_numbers_are_normalised_when_a_rule_is_saved() -> None:
    rule = save(
        dest="07700 900100",
        source_prefix="077",
        source="07700 900100",
        days=("sun", "mon"),
        keyword=" Hours ",
        name=" Desk ",
    )
    assert rule.dest == rule.source == "447700900100"
    assert (rule.source_prefix, rule.days) == ("4477", ("mon", "sun"))
    assert (rule.keyword, rule.name) == ("Hours", "Desk")
    assert save(dest="60777").dest == "60777"
    assert save(source="Shop").source == "Shop"
    assert replace(rule, dest=None) == save(
        source_prefix="4477",
        source="447700900100",
        days=("mon", "sun"),
        keyword="Hours",
        name="Desk",
    )


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "x" * 201}),
        ("dest", {"dest": "Shop"}),
        ("keyword", {"keyword": "two words"}),
        ("keyword", {"keyword": "?"}),
        ("keyword", {"keyword": ""}),
        ("contains", {"contains": " "}),
        ("contains", {"contains": "x" * 201}),
        ("pattern", {"pattern": "("}),
        ("pattern", {"pattern": ""}),
        ("pattern", {"pattern": r"(a)\1"}),
        ("pattern", {"pattern": "(?=a)"}),
        ("pattern", {"pattern": "((a{1000}){1000}){1000}"}),
        ("pattern", {"pattern": "\ud800"}),
        ("pattern", {"pattern": "a" * 501}),
        ("source_prefix", {"source_prefix": "00 07700"}),
        ("source_prefix", {"source_prefix": "Shop"}),
        ("days", {"days": ()}),
        ("days", {"days": ("monday",)}),
        ("days", {"days": ("mon", "mon")}),
        ("from", {"from_time": "9:00"}),
        ("from", {"from_time": "24:00"}),
        ("to", {"to_time": "09:60"}),
        ("to", {"from_time": "09:00", "to_time": "09:00"}),
        ("to", {"to_time": "00:00"}),
        ("timezone", {"timezone": "London"}),
        ("valid_until", {"valid_from": NOW, "valid_until": NOW}),
        ("cooldown_seconds", {"cooldown_seconds": -1}),
        ("source", {"source": "twelve chars"}),
        ("source", {"source": ""}),
        ("source", {"source": "\u0416"}),
        ("reply", {"reply": " "}),
        ("reply", {"reply": "Hello {nmae}"}),
        ("reply", {"reply": "Hello {name"}),
        ("reply", {"reply": "x" * 460}),
        ("reply", {"reply": "{6}"}),
    ],
)
def test_what_a_rule_cannot_say_is_refused_by_its_field(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        save(**fields)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "fields",
    [
        {"valid_from": NOW},
        {"cooldown_seconds": LONGEST_COOLDOWN_SECONDS},
        {"contains": "x" * 200},
        {"pattern": "a" * 500},
        {"source": "A"},
        {"source": "Eleven char"},
        {"reply": "x" * 459},
    ],
)
def test_what_a_rule_may_just_say_is_saved_as_it_is(fields: dict[str, Any]) -> None:
    assert save(**fields) == make_rule(**fields)


@pytest.mark.parametrize("field", ["name", "dest", "source", "pattern"])
def test_what_a_change_leaves_alone_is_not_read_again(field: str) -> None:
    stored = make_rule(dest="old", source="\u0416", pattern="(")
    changes: dict[str, Any] = {field: getattr(stored, field) + "("}
    changed = replace(stored, **changes)
    if field == "name":
        assert prepare_rule(changed, region="GB", own_names=(), stored=stored) == changed
        return
    with pytest.raises(InvalidInput) as caught:
        prepare_rule(changed, region="GB", own_names=(), stored=stored)
    assert caught.value.field == field


def test_a_saved_pattern_has_re2s_own_reason() -> None:
    with pytest.raises(InvalidInput, match="missing \\)"):
        save(pattern="(")
