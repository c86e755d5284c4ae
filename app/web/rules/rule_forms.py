"""Rules as forms, and in words."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput
from app.domain.numbers import write_number
from app.domain.rules.hours import DAYS, is_zone
from app.domain.rules.ordering import (
    Place,
    Shadow,
    place_after,
    place_before_catch_all,
    place_first,
)
from app.domain.rules.rules import Rule
from app.web.core.forms.form import Form
from app.web.core.forms.moments import read_moment, write_fold, write_local, write_moment

FIELDS = (
    "name",
    "place",
    "dest",
    "keyword",
    "contains",
    "pattern",
    "source_prefix",
    "days",
    "from",
    "to",
    "timezone",
    "valid_from",
    "valid_until",
    "cooldown_seconds",
    "source",
    "reply",
)
# Units of the cooldown, the largest first.
UNITS = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
DAY_NAMES: dict[str, str] = dict(
    zip(
        DAYS,
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        strict=True,
    )
)


def read_rule(form: Form) -> Rule:
    """The rule in a form. Raises InvalidInput with the field."""
    zone_name = form.text("timezone")
    if not is_zone(zone_name):
        raise InvalidInput("no such time zone; enter one such as Europe/London", field="timezone")
    zone = ZoneInfo(zone_name)
    days = tuple(form.texts("days"))
    return Rule(
        name=form.text("name"),
        enabled=form.has("enabled"),
        dest=form.text("dest") or None,
        keyword=form.text("keyword") or None,
        contains=form.text("contains") or None,
        pattern=form.text("pattern") or None,
        source_prefix=form.text("source_prefix") or None,
        days=days if days and set(days) != set(DAYS) else None,
        from_time=form.text("from") or None,
        to_time=form.text("to") or None,
        timezone=zone_name,
        valid_from=read_moment(form, "valid_from", zone),
        valid_until=read_moment(form, "valid_until", zone),
        cooldown_seconds=_read_cooldown(form),
        source=form.text("source") or None,
        reply=form.text("reply"),
    )


def fill_form(rule: Rule) -> Form:
    """The form filled in from a rule."""
    count, unit = _split_cooldown(rule.cooldown_seconds)
    zone = ZoneInfo(rule.timezone)
    values = {
        "name": rule.name,
        "dest": rule.dest,
        "keyword": rule.keyword,
        "contains": rule.contains,
        "pattern": rule.pattern,
        "source_prefix": rule.source_prefix,
        "from": rule.from_time,
        "to": rule.to_time,
        "timezone": rule.timezone,
        "cooldown_seconds": str(count) if count else None,
        "cooldown_unit": unit,
        "source": rule.source,
        "reply": rule.reply,
        "enabled": "on" if rule.enabled else None,
    }
    for name in ("valid_from", "valid_until"):
        moment = getattr(rule, name)
        if moment is not None:
            values |= {name: write_moment(moment, zone), f"{name}_fold": write_fold(moment, zone)}
    pairs = [(name, value) for name, value in values.items() if value is not None]
    form = Form([*pairs, *(("days", day) for day in rule.days or DAYS)])
    # Where the clocks repeat a time, both are offered.
    read_moment(form, "valid_from", zone)
    read_moment(form, "valid_until", zone)
    return form


def list_conditions(
    rule: Rule, labels: Mapping[str, str], *, shows_pattern: bool = True
) -> list[str]:
    """The conditions in words; a rule without any answers every text.

    `shows_pattern` is for those who edit rules: others could make nothing of one.
    """
    words = []
    if rule.keyword is not None:
        words.append(f"the first word is “{rule.keyword}”")
    if rule.contains is not None:
        words.append(f"it contains “{rule.contains}”")
    if rule.pattern is not None:
        words.append(f"it matches {rule.pattern if shows_pattern else 'a pattern'}")
    if rule.dest is not None:
        words.append(f"it was sent to {labels.get(rule.dest) or write_number(rule.dest)}")
    if rule.source_prefix is not None:
        words.append(f"the sender's number begins with {rule.source_prefix}")
    if rule.days is not None:
        words.append(f"on {', '.join(DAY_NAMES[day] for day in rule.days)}")
    if rule.from_time is not None or rule.to_time is not None:
        begins, ends = rule.from_time or "00:00", rule.to_time or "24:00"
        words.append(f"between {begins} and {ends} ({rule.timezone})")
    zone = ZoneInfo(rule.timezone)
    if rule.valid_from is not None:
        words.append(f"from {write_local(rule.valid_from, zone)} on")
    if rule.valid_until is not None:
        words.append(f"until {write_local(rule.valid_until, zone)}")
    return words


def list_places(rules: Sequence[Rule], rule: Rule | None) -> list[tuple[str, str]]:
    """The choices of where a rule goes in the list, as pairs of value and label."""
    others = [each for each in rules if rule is None or each.id != rule.id]
    catch_all = next((each for each in others if each.takes_any_words), None)
    usual = f"Before “{catch_all.name}”, which answers any text" if catch_all else "Last"
    places = [("", "Where it is now" if rule is not None else usual)]
    if others:
        places.append(("first", f"First, before “{others[0].name}”"))
    return places + [(str(each.id), f"After “{each.name}”") for each in others]


def read_place(form: Form, *, is_new: bool) -> Place | None:
    """The chosen place; None where the rule stays. Raises InvalidInput with the field."""
    chosen = form.text("place")
    if chosen == "first":
        return place_first
    if not chosen:
        return place_before_catch_all if is_new else None
    rule_id = form.number("place")
    if rule_id is None:
        raise InvalidInput("choose a place from the list", field="place")
    return place_after(rule_id)


def explain_shadow(shadow: Shadow) -> str:
    """What keeps a rule from answering, and what to do."""
    count = shadow.taken
    took = f" It took {count} recent {'text' if count == 1 else 'texts'} that this rule matches."
    return (
        f"“{shadow.by.name}” comes first and answers the same texts.{took if count else ''}"
        f" Move this rule before “{shadow.by.name}” if it should answer them."
    )


def _read_cooldown(form: Form) -> int:
    text = form.text("cooldown_seconds")
    unit = dict(UNITS).get(form.text("cooldown_unit", "minutes"), 60)
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise InvalidInput("enter a whole number", field="cooldown_seconds")
    return int(text) * unit


def _split_cooldown(seconds: int) -> tuple[int, str]:
    """In the largest unit that it is a whole number of."""
    if not seconds:
        return 0, "minutes"
    return next((seconds // size, unit) for unit, size in UNITS if seconds % size == 0)
