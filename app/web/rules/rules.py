"""The pages of the rules: the list, the form, and the test on recent texts."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput
from app.domain.inbound.messages import MERGE_FIELDS
from app.domain.keywords import fold_text
from app.domain.rules.hours import DAYS
from app.domain.rules.ordering import Place
from app.domain.rules.rule_preview import RulePreview
from app.domain.rules.rules import Rule
from app.flows.rules import edit_rules
from app.flows.rules.try_rules import find_shadowed_rules, try_rule
from app.storage.conversations.inbox import LabelledNumber, list_our_numbers
from app.storage.db.database import Connection
from app.storage.inbound.search import Message, get_messages
from app.storage.rules import rules
from app.storage.rules.answers import read_our_numbers
from app.web.core.forms.form import Form
from app.web.core.forms.kept_forms import find_kept, show_again
from app.web.core.rendering.wording import explain_silence
from app.web.core.site import Site, Visit
from app.web.outbound.writing import measure_template
from app.web.rules.rule_forms import (
    FIELDS,
    explain_shadow,
    fill_form,
    list_conditions,
    list_places,
    read_place,
    read_rule,
)

PATH = "/rules"
# `move` alone changes the position.
NOT_IN_FORM = frozenset({"id", "position"})
# How many replies of a test are shown.
SHOWN_REPLIES = 8


class Saved(NamedTuple):
    """A rule that was saved, and what to say of it."""

    rule_id: int
    text: str


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """A preview with the texts that its replies answer, by id, and `silenced` in words."""

    trial: RulePreview
    texts: Mapping[int, Message]
    silenced: Sequence[tuple[str, int]]


def make_rule_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, show_rules),
        site.get(f"{PATH}/new", show_new),
        site.post(f"{PATH}/new", create),
        site.post(f"{PATH}/try", show_trial),
        site.get(f"{PATH}/{{id:int}}", show_rule),
        site.post(f"{PATH}/{{id:int}}", change),
        site.post(f"{PATH}/{{id:int}}/move", move),
        site.post(f"{PATH}/{{id:int}}/switch", switch),
        site.get(f"{PATH}/{{id:int}}/remove", ask_to_remove),
        site.post(f"{PATH}/{{id:int}}/remove", remove),
    ]


async def show_rules(visit: Visit) -> Response:
    """All rules, in the order in which they are tried."""
    found, numbers = await visit.database.read(_read_rules)
    labels = {each.number: each.label for each in numbers}
    return visit.render(
        "rules/rules.html",
        rules=found,
        repeated=_find_repeated_names(found),
        shadows=await find_shadowed_rules(visit.database),
        explain_shadow=explain_shadow,
        list_conditions=lambda rule: list_conditions(rule, labels),
    )


def _find_repeated_names(found: Sequence[Rule]) -> set[str]:
    """Names that several rules have, so that pages which name a rule may mean any of them."""
    counts = Counter(fold_text(rule.name) for rule in found)
    return {rule.name for rule in found if counts[fold_text(rule.name)] > 1}


async def show_new(visit: Visit) -> Response:
    """An empty form, or one that is shown again."""
    kept = await find_kept(visit)
    if kept is not None:
        return await _show_kept(visit, kept, None)
    form = Form([("enabled", "on"), ("timezone", visit.site.runtime.settings.provider_timezone)])
    return await _show_form(visit, form, None)


async def create(visit: Visit) -> Response:
    """Add a rule, or test it."""

    async def add(draft: Rule, place: Place | None) -> Saved:
        added = await edit_rules.create_rule(
            visit.database,
            draft,
            position=place,
            region=visit.region,
            who=visit.actor,
            now=visit.now,
        )
        state = "active" if added.enabled else "saved; it is off"
        return Saved(added.id, f"The rule “{added.name}” is {state}.")

    return await _take_form(visit, None, add)


async def show_rule(visit: Visit) -> Response:
    """A rule's form, as it is stored or as it is shown again."""
    rule = await visit.database.read(rules.get_rule, visit.path_id)
    kept = await find_kept(visit)
    if kept is not None:
        return await _show_kept(visit, kept, rule)
    return await _show_form(visit, fill_form(rule), rule)


async def change(visit: Visit) -> Response:
    """Change a rule, or test the change."""
    rule = await visit.database.read(rules.get_rule, visit.path_id)

    async def save(draft: Rule, place: Place | None) -> Saved:
        changes = {name: value for name, value in asdict(draft).items() if name not in NOT_IN_FORM}
        await edit_rules.change_rule(
            visit.database,
            rule.id,
            changes,
            place=place,
            region=visit.region,
            who=visit.actor,
            now=visit.now,
        )
        return Saved(rule.id, f"The rule “{draft.name}” is saved.")

    return await _take_form(visit, rule, save)


async def _take_form(
    visit: Visit, rule: Rule | None, save: Callable[[Rule, Place | None], Awaitable[Saved]]
) -> Response:
    """Save the rule in the form; show the form again with its errors, or with its test."""
    form = await visit.read_form()
    path = f"{PATH}/new" if rule is None else f"{PATH}/{rule.id}"
    if form.has("try"):
        return await show_again(visit, path, form)
    try:
        saved = await save(_read_draft(form, rule), read_place(form, is_new=rule is None))
    except InvalidInput:
        return await show_again(visit, path, form)
    except Conflict as error:
        return visit.redirect(PATH, f"Not saved: {error}.", kind="failed")
    shadow = (await find_shadowed_rules(visit.database)).get(saved.rule_id)
    if shadow is None:
        return visit.redirect(f"{PATH}#rule{saved.rule_id}", saved.text)
    text = f"{saved.text} {explain_shadow(shadow)}"
    return visit.redirect(f"{PATH}#rule{saved.rule_id}", text, kind="warn")


async def _show_kept(visit: Visit, form: Form, rule: Rule | None) -> Response:
    """What was typed, with its errors; without any, tried on recent texts."""
    try:
        place = read_place(form, is_new=rule is None)
        trial = await _try(visit, _read_draft(form, rule), place)
    except InvalidInput as error:
        form.note(error, FIELDS)
        return await _show_form(visit, form, rule, status=422)
    return await _show_form(visit, form, rule, trial=trial)


def _read_draft(form: Form, rule: Rule | None) -> Rule:
    """The rule in a form, in place of the stored one. Raises InvalidInput."""
    draft = read_rule(form)
    return draft if rule is None else replace(draft, id=rule.id, position=rule.position)


async def show_trial(visit: Visit) -> Response:
    """The test of a draft, as a part of its page that is fetched while someone types."""
    form = await visit.read_form()
    rule_id = form.number("id")
    try:
        draft = read_rule(form)
        if rule_id is not None:
            draft = replace(draft, id=rule_id)
        trial = await _try(visit, draft, read_place(form, is_new=rule_id is None))
    except InvalidInput as error:
        return visit.render(
            "rules/rule_trial.html", trial=None, fault=str(error), field=error.field
        )
    return visit.render("rules/rule_trial.html", trial=trial, fault="", field=None)


async def move(visit: Visit) -> Response:
    """Swap a rule with the one before or after it."""
    form = await visit.read_form()
    direction: edit_rules.Direction = "up" if form.text("direction") == "up" else "down"
    moved = await edit_rules.move_rule(
        visit.database, visit.path_id, direction, who=visit.actor, now=visit.now
    )
    return visit.redirect(f"{PATH}#rule{moved.id}")


async def switch(visit: Visit) -> Response:
    """Switch a rule on or off."""
    form = await visit.read_form()
    changed = await edit_rules.change_rule(
        visit.database,
        visit.path_id,
        {"enabled": form.has("on")},
        region=visit.region,
        who=visit.actor,
        now=visit.now,
    )
    state = "on" if changed.enabled else "off"
    return visit.redirect(f"{PATH}#rule{changed.id}", f"The rule “{changed.name}” is {state}.")


async def ask_to_remove(visit: Visit) -> Response:
    rule = await visit.database.read(rules.get_rule, visit.path_id)
    return visit.render("rules/rule_remove.html", rule=rule)


async def remove(visit: Visit) -> Response:
    """Remove a rule; what it answered stays."""
    rule = await visit.database.read(rules.get_rule, visit.path_id)
    await edit_rules.remove_rule(visit.database, rule.id, who=visit.actor, now=visit.now)
    return visit.redirect(PATH, f"The rule “{rule.name}” has been removed; past replies are kept.")


async def _show_form(
    visit: Visit,
    form: Form,
    rule: Rule | None,
    *,
    trial: ShownTrial | None = None,
    status: int = 200,
) -> Response:
    numbers, names = await visit.database.read(_read_choices)
    ordered = await visit.database.read(rules.read_rules)
    return visit.render(
        "rules/rule.html",
        status=status,
        form=form,
        rule=rule,
        numbers=numbers,
        names=names,
        days=DAYS,
        trial=trial,
        places=list_places(ordered, rule),
        measure=measure_template(form.text("reply")) if form.text("reply") else None,
    )


async def _try(visit: Visit, draft: Rule, place: Place | None) -> ShownTrial:
    settings = visit.site.runtime.settings
    trial = await try_rule(
        visit.database,
        draft,
        position=place,
        limits=settings.reply_limits,
        region=visit.region,
    )
    ids = [reply.message_id for reply in trial.replies[-SHOWN_REPLIES:]]
    texts = await visit.database.read(get_messages, ids) if ids else {}
    silenced = [(explain_silence(code), count) for code, count in trial.silenced.items()]
    return ShownTrial(trial, texts, silenced)


def _read_rules(conn: Connection) -> tuple[list[Rule], list[LabelledNumber]]:
    return rules.read_rules(conn), list_our_numbers(conn)


def _read_choices(conn: Connection) -> tuple[list[LabelledNumber], list[str]]:
    """Our numbers, and all names of merge fields."""
    ours = read_our_numbers(conn).values()
    own = [name for number in ours for name in number.merge_field_names.values()]
    return list_our_numbers(conn), list(dict.fromkeys([*MERGE_FIELDS, *own]))
