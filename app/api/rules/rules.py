"""/rules: automatic replies, and trying a draft."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from pydantic import BeforeValidator, Field
from starlette.convertors import StringConvertor, register_url_convertor

from app.api.core.calls import Call, CallContext, RuleId
from app.api.core.enums import LoopSign, Weekday
from app.api.core.etags import IfMatch
from app.api.core.filters import TimeFilter
from app.api.core.lists import CREATED, LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import A_SENDER, Changes, Page, Rule, Sent, Shown, Text
from app.domain.errors import InvalidInput, NotFound
from app.domain.ids import decode_id, encode_id
from app.domain.rules import rules as domain
from app.domain.rules.patterns import LONGEST_PATTERN
from app.domain.templates import LONGEST_TEMPLATE
from app.flows.rules import edit_rules, try_rules
from app.flows.rules.try_rules import DEFAULT_TEXTS, MOST_TEXTS
from app.storage.rules import rules

LARGEST_POSITION = 1_000_000


class RuleConvertor(StringConvertor):
    """A rule's id in a path; /rules/try is another path, which has other methods."""

    regex = r"(?!try$)[^/]+"


register_url_convertor("rule", RuleConvertor())

router = make_router("/rules", "rules:write")
# A draft rule can quote every text.
trying = make_router("/rules", "rules:write", "messages:read")

Name = Annotated[
    Text,
    Field(min_length=1, max_length=domain.LONGEST_CONDITION, description="for people"),
]
Reply = Annotated[
    Text,
    Field(
        max_length=LONGEST_TEMPLATE,
        description="with placeholders such as {name|there}; {{ for a brace",
        examples=["Hello {name|there}, we are open until five."],
    ),
]
Condition = Annotated[Text, Field(max_length=LONGEST_PATTERN)] | None
Position = Annotated[
    int,
    Field(
        ge=0,
        le=LARGEST_POSITION,
        description="the first rule that holds answers, by position; whatever stands there goes"
        " down by one",
    ),
]


class RuleConditions(Sent):
    """What a rule may state; null, or left out, states nothing."""

    enabled: Annotated[bool, Field(description="whether it answers at all")] = True
    dest: Annotated[Condition, Field(description="which number was texted")] = None
    keyword: Annotated[
        Condition,
        Field(description="the text's first word, case and punctuation aside", examples=["hours"]),
    ] = None
    contains: Annotated[Condition, Field(description="a part of the text, case aside")] = None
    pattern: Annotated[
        Condition, Field(description="an RE2 pattern that is found in the text, case aside")
    ] = None
    source_prefix: Annotated[
        Condition, Field(description="how the sender's number begins", examples=["4477"])
    ] = None
    days: Annotated[
        list[Weekday] | None, Field(description="the days on which it answers", examples=[["mon"]])
    ] = None
    from_time: Annotated[
        Condition, Field(alias="from", description="a time of day", examples=["09:00"])
    ] = None
    to_time: Annotated[
        Condition,
        Field(
            alias="to",
            description="exclusive; hours past midnight belong to the day on which they began",
            examples=["17:30"],
        ),
    ] = None
    valid_from: Annotated[TimeFilter, Field(description="it answers from then on")] = None
    valid_until: Annotated[TimeFilter, Field(description="it answers until then, exclusive")] = None
    cooldown_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=domain.LONGEST_COOLDOWN_SECONDS,
            description="how long it is silent to a sender whom it has answered",
        ),
    ] = 0
    source: Annotated[
        Condition,
        Field(description="what it answers from; the number that was texted where absent"),
    ] = None


class RuleCreate(RuleConditions):
    """A rule to add."""

    name: Name
    reply: Reply
    position: Annotated[
        Position | None, Field(description="behind all others where it is absent")
    ] = None
    timezone: Annotated[
        Text | None,
        Field(max_length=64, description="of days and hours; PROVIDER_TIMEZONE where absent"),
    ] = None


class RuleChanges(Changes, RuleConditions):
    """What to change; what is left out stays, null takes a condition away."""

    name: Name = Field(default_factory=str)
    reply: Reply = Field(default_factory=str)
    position: Position = Field(default_factory=int)
    timezone: Annotated[Text, Field(max_length=64)] = Field(
        default_factory=str, description="of days and hours"
    )


class RuleDraft(RuleCreate):
    """A draft; with an `id` it takes the place of that rule."""

    id: Annotated[Text | None, Field(description="the rule whose place it takes")] = None


class TrialRequest(Sent):
    """What to try."""

    rule: RuleDraft = Field(description="the draft")
    limit: Annotated[
        int, Field(ge=1, le=MOST_TEXTS, description="over so many of the newest texts")
    ] = DEFAULT_TEXTS


class TrialReply(Shown):
    """What the draft would have answered a text."""

    message_id: Annotated[str, BeforeValidator(lambda value: encode_id("msg", value))] = Field(
        description="the text"
    )
    source: str = Field(description="who would have got it", examples=[A_SENDER])
    body: str = Field(description="the reply, filled")
    parts: int = Field(description="how many messages of the network it takes")
    credits: int = Field(description="estimated: one a part in the UK, elsewhere two")


class LoopRisk(Shown):
    """A sign that a machine answers our answers."""

    source: str | None = Field(description="whose texts show it; null where the rule itself does")
    reason: LoopSign = Field(description="which sign")
    text: str = Field(description="the sign in words, for people")


class Trial(Shown):
    """What the draft would have done, had it been enabled when the texts came."""

    tried: int = Field(description="over how many texts")
    matched: int = Field(
        description="texts for which it is the first rule that holds: those answered, silenced and"
        " too long add up to it"
    )
    replies: list[TrialReply] = Field(description="what would have gone out, newest text first")
    silenced: dict[str, int] = Field(
        description="texts that a guard kept unanswered, by its outcome's code; `blank` replies"
        " once filled, and `id-reused` texts, get no answer either",
        examples=[{"cooldown": 2}],
    )
    too_long: int = Field(description="replies over 459 characters once filled")
    loop_risk: list[LoopRisk] = Field(description="signs that it answers a machine")


@router.get("", responses=LINK_HEADER)
async def list_rules(call: Call, query: Annotated[ListQuery, Query()]) -> Page[Rule]:
    """List the rules, newest first; `position` says in which order they are asked."""
    return await answer_list(call, query, rules.list_rules, Rule.model_validate)


@router.post("", status_code=201, responses=CREATED)
async def create_rule(body: RuleCreate, call: Call) -> Rule:
    """Add a rule; it takes effect at once, in every process."""
    created = await edit_rules.create_rule(
        call.database,
        _make_draft(body, call),
        position=body.position,
        region=call.region,
        who=call.actor,
        now=call.now,
    )
    shown = Rule.model_validate(created)
    call.locate(f"/rules/{shown.id}")
    return shown


@trying.post("/try")
async def try_rule(body: TrialRequest, call: Call) -> Trial:
    """Try a draft over the newest texts; nothing is sent and nothing is kept.

    The other rules apply. Replies before these texts are not known to it.
    """
    draft = _make_draft(body.rule, call)
    # Errors name fields of the body, an unknown id as well.
    try:
        if body.rule.id is not None:
            draft = replace(draft, id=decode_id("rul", body.rule.id))
        found = await try_rules.try_rule(
            call.database,
            draft,
            position=body.rule.position,
            limit=body.limit,
            limits=call.runtime.settings.reply_limits,
            region=call.region,
        )
    except InvalidInput as error:
        raise InvalidInput(str(error), field=f"rule.{error.field}", code=error.code) from None
    except NotFound as error:
        raise InvalidInput(str(error), field="rule.id", code="not-found") from None
    return Trial.model_validate(found)


@router.get("/{id:rule}")
async def get_rule(id: RuleId, call: Call) -> Rule:
    """Get one rule."""
    return Rule.model_validate(await call.database.read(rules.get_rule, id))


@router.patch("/{id:rule}")
async def change_rule(id: RuleId, body: RuleChanges, call: Call, if_match: IfMatch) -> Rule:
    """Change a rule; it takes effect at once, in every process."""
    changed = await edit_rules.change_rule(
        call.database,
        id,
        _list_stated(body),
        region=call.region,
        check=if_match.checking(Rule.model_validate),
        who=call.actor,
        now=call.now,
    )
    return Rule.model_validate(changed)


@router.delete("/{id:rule}", status_code=204)
async def remove_rule(id: RuleId, call: Call, if_match: IfMatch) -> None:
    """Remove a rule; what it answered stays."""
    check = if_match.checking(Rule.model_validate)
    await edit_rules.remove_rule(call.database, id, check=check, who=call.actor, now=call.now)


def _make_draft(body: RuleCreate, call: CallContext) -> domain.Rule:
    zone = call.runtime.settings.provider_timezone
    return domain.Rule(**{"timezone": zone, **_list_stated(body)})


def _list_stated(body: RuleConditions) -> dict[str, Any]:
    """The fields that were sent, as the domain's rule has them."""
    stated = body.model_dump(exclude_unset=True, exclude={"id"})
    for name in ("position", "timezone"):
        if stated.get(name, "") is None:
            del stated[name]
    if stated.get("days") is not None:
        stated["days"] = tuple(stated["days"])
    return stated
