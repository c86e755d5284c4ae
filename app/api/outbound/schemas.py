"""The objects about outgoing texts, and a message with its replies."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from app.api.core.enums import AttemptFate, OutboundStatus
from app.api.core.schemas import A_SENDER, OUR_NUMBER, Message, Shown, Time, read_id
from app.domain.inbound.messages import RawForward
from app.flows.outbound.compose import Queued
from app.storage.outbound.texts import OutboundHistory, OutboundText


def _read_raw(data: bytes) -> dict[str, Any]:
    raw = RawForward.from_bytes(data)
    return {
        "method": raw.method,
        "content_type": raw.content_type,
        "charset": raw.charset,
        "parameters": raw.texts,
    }


class OutboundError(Shown):
    """Why a text did not, or not certainly, go out; or why it was settled without a last word."""

    code: int | None = Field(description="the provider's, where it gave one", examples=[-401])
    text: str = Field(description="in words", examples=["Invalid Destination Address"])


class Outbound(Shown):
    """One text to a number, a list or a group."""

    id: Annotated[str, read_id("out")] = Field(description="opaque", examples=["out_1q"])
    to: str | None = Field(
        description="whom it goes to; null for a list or group", examples=[A_SENDER]
    )
    list: str | None = Field(description="the provider's distribution list that it goes to")
    group: str | None = Field(description="the group of the address book that it goes to")
    recipients: dict[str, int] | None = Field(
        description="how many of a list's or group's are in which status; null for a number",
        examples=[{"delivered": 40, "sent": 2}],
    )
    conversation_id: Annotated[str | None, read_id("cnv")] = Field(
        description="where it stands; null for a list or group"
    )
    reference: str | None = Field(description="your own, as it was sent with it")
    metadata: dict[str, str] = Field(description="your own, as it was sent with it")
    source: str = Field(description="what it goes out from", examples=[OUR_NUMBER])
    body: str = Field(description="the text", examples=["We are open from ten to four."])
    parts: int = Field(description="how many messages of the network it takes")
    status: OutboundStatus = Field(description="where it stands")
    held_reason: str | None = Field(
        description="while it is held: `account`, `configuration` or `daily-limit`"
    )
    provider_status: str | None = Field(
        description="the provider's last word, as it came", examples=["Delivered"]
    )
    provider_ids: Sequence[str] = Field(description="one for each part; none for a list or group")
    background_ids: Sequence[str] = Field(description="those of a list's or group's sends")
    error: OutboundError | None = Field(description="why it did not, or may not, arrive")
    in_reply_to: Annotated[str | None, read_id("msg")] = Field(
        description="the message that it answers"
    )
    rule_id: Annotated[str | None, read_id("rul")] = Field(description="the rule that answered")
    batch_id: Annotated[str | None, read_id("bat")] = Field(
        description="the send to many that it belongs to"
    )
    attempts: int = Field(description="calls that were made, or nearly made, for it")
    schedule_at: Time | None = Field(description="when it is to go out; null: at once")
    send_before: Time | None = Field(
        description="what cannot go out by then expires: the end of its validity, or sooner for an"
        " automatic reply; null for texts of early releases"
    )
    created_at: Time = Field(description="when it was queued")
    sent_at: Time | None = Field(description="when the provider took it")
    settled_at: Time | None = Field(description="from then on nothing more is expected")
    attended_at: Time | None = Field(description="when somebody had dealt with its failure")


class Attempt(Shown):
    """One call for a text, or nearly one."""

    attempt: int = Field(description="counted from 1")
    began_at: Time = Field(description="when it began")
    ended_at: Time | None = Field(description="null while the call is under way")
    fate: AttemptFate | None = Field(
        validation_alias="outcome",
        description="whether the provider took it; null while the call is under way",
    )
    error_class: str | None = Field(
        description="what kind of error ended it; null where none did", examples=["Unreachable"]
    )
    code: str | None = Field(description="the provider's error code")
    answer: str | None = Field(description="what the provider, or the error, said")


class StatusChange(Shown):
    """One step in the life of a text."""

    status: OutboundStatus = Field(description="what it became")
    told_by: str = Field(
        validation_alias="source",
        description="send, check, report, background, lease, rule, opt-out, or who did it",
    )
    changed_at: Time = Field(description="when that was known")
    provider_id: str | None = Field(description="the part that the provider spoke of")
    provider_status: str | None = Field(description="the provider's word")
    note: str | None = Field(
        description="what else changed than the status", examples=["text changed"]
    )


class OutboundDetail(Outbound):
    """One text with what it went through."""

    check_error: str | None = Field(description="why the last status check failed")
    calls: Sequence[Attempt] = Field(description="oldest first")
    history: Sequence[StatusChange] = Field(description="oldest first")


class Recipient(Shown):
    """One message of the provider: to a recipient of a list or group, or a part of a text."""

    to: str = Field(description="the recipient's number", examples=[A_SENDER])
    status: OutboundStatus = Field(description="where it stands")
    provider_id: str = Field(description="the provider's id of it", examples=["184467"])
    provider_status: str | None = Field(
        description="the provider's last word, as it came", examples=["Delivered"]
    )
    updated_at: Time = Field(description="when the status was last read")


Pairs = Annotated[
    list[tuple[str, str]],
    # Linters and generators complain that a tuple's schema has no type of items.
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 2,
                "maxItems": 2,
            },
            "examples": [[["source", A_SENDER], ["msg", "Hello"]]],
        }
    ),
]


class RawRequest(Shown):
    """What came over the wire, without the secret."""

    method: str = Field(description="GET, POST, or what the row of a report stands for")
    content_type: str = Field(description='of its body; "" where it declared none')
    charset: str | None = Field(description="as the request declared it")
    parameters: Pairs = Field(
        description="names and values in order, read as UTF-8; other bytes are shown as \\xNN"
    )


class MessageDetail(Message):
    """One inbound text with what it was made from, and what was written in reply."""

    raw: Annotated[RawRequest, BeforeValidator(_read_raw)] = Field(
        description="the request that brought it"
    )
    replies: Sequence[Outbound] = Field(description="automatic or by hand, oldest first")


class QueuedTexts(Shown):
    """What is queued: the service sends it, a moment later or as scheduled."""

    items: list[Outbound] = Field(description="one for each number; one for a list or group")
    parts: int = Field(description="how many each of them takes")
    estimated_credits: int | None = Field(
        description="for all together: one a part in the UK, two elsewhere; null for a list or"
        " group, whose size only the provider knows"
    )
    warnings: list[str] = Field(
        description="for people: what may surprise them, though the text is queued",
        examples=[["The text takes 4 parts in UCS-2 because of 😀"]],
    )


def show_queued(queued: Queued) -> dict[str, Any]:
    """The answer to a program whose texts are queued, ready for JSON."""
    return QueuedTexts(
        items=[Outbound.model_validate(each) for each in queued.texts],
        parts=queued.parts,
        estimated_credits=queued.estimated_credits,
        warnings=queued.warnings,
    ).model_dump(mode="json")


def show_outbound(stored: object) -> dict[str, Any]:
    """A stored text as programs see it, ready for JSON: the line of an export."""
    return Outbound.model_validate(stored).model_dump(mode="json")


def show_detail(text: OutboundText, history: OutboundHistory) -> OutboundDetail:
    """A stored text with what it went through."""
    shown = Outbound.model_validate(text).model_dump()
    given = {
        "check_error": text.check_error,
        "calls": history.attempts,
        "history": history.changes,
    }
    return OutboundDetail.model_validate(shown | given)
