"""/outbound: what goes out, written here and followed to its end."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field, PlainValidator, WithJsonSchema

from app.api.dependencies import By, Caller, Keyring, make_router
from app.api.filters import NumberFilter, TimeFilter
from app.api.ids import decode_id
from app.api.lists import LINK_HEADER, Listing, ListQuery
from app.api.schemas import (
    A_SENDER,
    OUR_NUMBER,
    Outbound,
    OutboundDetail,
    Page,
    Recipient,
    Sent,
    Shown,
    StatusName,
    Text,
)
from app.domain.errors import InvalidInput, NotFound
from app.domain.outbound import LONGEST_VALIDITY_SECONDS
from app.flows.cancel import cancel_text
from app.flows.compose import MOST_NUMBERS, Queued, WantedText, compose_once
from app.flows.resolve import Outcome, resolve_text
from app.provider.limits import LONGEST_BODY
from app.runtime import Runtime
from app.storage import outbound_texts
from app.storage.database import Connection
from app.storage.history import list_changes
from app.storage.idempotency import Once
from app.storage.outbound_texts import OutboundFilter

QUEUED: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Idempotent-Replayed": {
                "description": "`true` where this is the first answer again",
                "schema": {"type": "string"},
            }
        }
    }
}

Body = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=LONGEST_BODY,
        description="459 characters are three parts in the GSM alphabet, more in others",
        examples=["We are open from ten to four."],
    ),
]
Name = Annotated[Text, Field(min_length=1, max_length=200)]
NUMBER: dict[str, Any] = {"type": "string", "maxLength": 60, "examples": [A_SENDER, "07700 900123"]}


def _read_to(value: object) -> object:
    many = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in many):
        raise ValueError("write a number, or a list of numbers, as text")
    if not 1 <= len(many) <= MOST_NUMBERS:
        raise ValueError(f"send to 1 to {MOST_NUMBERS} numbers at once")
    return value


To = Annotated[
    str | list[str],
    PlainValidator(_read_to),
    WithJsonSchema(
        {
            "anyOf": [
                NUMBER,
                {"type": "array", "items": NUMBER, "minItems": 1, "maxItems": MOST_NUMBERS},
            ]
        }
    ),
]


class NewText(Sent):
    """A text to send: to numbers, or to a list, or to a group of the provider's."""

    to: To | None = Field(
        None, description="one number or many; each gets one text, however often it is named"
    )
    list_name: Name | None = Field(None, alias="list", description="a distribution list's name")
    group: Name | None = Field(None, description="the name of a group of the address book")
    source: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=60,
            description="one of our numbers, or a name of at most 11 characters",
            examples=[OUR_NUMBER],
        ),
    ]
    body: Body
    source_ton: Literal[1, 5] | None = Field(None, description="1 international, 5 alphanumeric")
    schedule_at: TimeFilter = Field(None, description="when to send it, within a year")
    schedule_by: Literal["letterbox", "provider"] | None = Field(
        None, description="who keeps the schedule; Letterbox where nothing is said"
    )
    validity_seconds: Annotated[int, Field(ge=1, le=LONGEST_VALIDITY_SECONDS)] = Field(
        LONGEST_VALIDITY_SECONDS, description="how long the network tries to deliver it"
    )
    in_reply_to: str | None = Field(
        None, description="the message that it answers, whose sender it goes to"
    )
    force: bool = Field(
        default=False, description="send to numbers that have opted out; it is audited"
    )

    def make_wanted(self) -> WantedText:
        return WantedText(
            source=self.source,
            body=self.body,
            to=self.to,
            list_name=self.list_name,
            group_name=self.group,
            source_ton=self.source_ton,
            schedule_at=self.schedule_at,
            schedule_by=self.schedule_by,
            validity_seconds=self.validity_seconds,
            in_reply_to=None if self.in_reply_to is None else _read_message_id(self.in_reply_to),
            force=self.force,
        )


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


class Resolution(Sent):
    """What became of an uncertain text, as a person found out."""

    outcome: Outcome
    provider_id: Annotated[Text, Field(min_length=1, max_length=64)] | None = Field(
        None, description="its id in the provider's report, with `sent`: it is followed by it"
    )


class OutboundQuery(ListQuery):
    """The filters of /outbound."""

    status: Annotated[StatusName | None, Field(description="what became of it")] = None
    to: Annotated[NumberFilter, Field(description="whom it goes to")] = None
    source: Annotated[NumberFilter, Field(description="what it goes out from")] = None
    since: Annotated[TimeFilter, Field(description="created then or later")] = None
    until: Annotated[TimeFilter, Field(description="created before then")] = None
    in_reply_to: Annotated[str | None, Field(description="a message's id")] = None
    rule_id: Annotated[str | None, Field(description="the rule that answered")] = None

    def make_filter(self) -> OutboundFilter | None:
        """None where an id is named that nothing can have."""
        try:
            return OutboundFilter(
                status=self.status,
                to=self.to,
                source=self.source,
                since=self.since,
                until=self.until,
                in_reply_to=None
                if self.in_reply_to is None
                else decode_id("msg", self.in_reply_to),
                rule_id=None if self.rule_id is None else decode_id("rul", self.rule_id),
            )
        except NotFound:
            return None


def make_outbound_reading(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/outbound", "messages:read")
    database = runtime.database

    @router.get("", responses=LINK_HEADER)
    async def list_outbound(
        request: Request, response: Response, query: Annotated[OutboundQuery, Query()]
    ) -> Page[Outbound]:
        """List what goes out and went out, newest first.

        With several filters a page may be short or empty while `next` is not null.
        """
        listing = Listing(request, query, runtime.settings.base_url)
        wanted = query.make_filter()
        place = listing.find_time_position()
        if wanted is None:
            return Page(items=[], next=None)
        page = await database.read(
            outbound_texts.list_outbound, wanted, before=place, limit=query.limit
        )
        items = [Outbound.model_validate(each) for each in page.texts]
        return Page(items=items, next=listing.make_time_next(response, page.next))

    @router.get("/{id}")
    async def get_outbound(id: str) -> OutboundDetail:  # noqa: A002 the path's name
        """Get one text, with every call that was made for it and every change of its status."""
        return await database.read(_read_detail, decode_id("out", id))

    @router.get("/{id}/recipients", responses=LINK_HEADER)
    async def list_recipients(
        id: str,  # noqa: A002 the path's name
        request: Request,
        response: Response,
        query: Annotated[ListQuery, Query()],
    ) -> Page[Recipient]:
        """List the recipients of a list or group, as far as the provider has told of them.

        For a text to a number these are its parts.
        """
        listing = Listing(request, query, runtime.settings.base_url)
        rows = await database.read(
            _read_recipients,
            decode_id("out", id),
            before=listing.position,
            limit=listing.look_ahead,
        )
        return listing.make_page(response, rows, Recipient.model_validate)

    return router


def make_outbound_sending(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/outbound", "messages:send")
    settings = runtime.settings

    @router.post("", status_code=202, response_model=QueuedTexts, responses=QUEUED)
    async def send_text(
        body: NewText,
        by: By,
        idempotency_key: Annotated[
            str | None,
            Header(
                min_length=1,
                max_length=200,
                description="the same key and body get the first answer again, for 24 hours",
            ),
        ] = None,
    ) -> Response:
        """Queue a text for one number or up to 100, or for a list or group: all of it or nothing.

        Where a number is off or has opted out, 422 names each such number and nothing is queued.
        """
        runtime.get_provider()
        done = await compose_once(
            runtime.database,
            body.make_wanted(),
            None if idempotency_key is None else _make_once(by, idempotency_key, body),
            show_queued,
            who=by.actor,
            region=settings.default_region,
            zone=settings.zone,
            now=runtime.now(),
        )
        if done.is_replayed:
            return JSONResponse(done.answer, 202, {"Idempotent-Replayed": "true"})
        runtime.announce_texts()
        return JSONResponse(done.answer, 202)

    @router.post("/{id}/cancel")
    async def cancel_outbound(id: str, by: By) -> Outbound:  # noqa: A002 the path's name
        """Cancel a text that waits here, or that the provider keeps for later.

        409 says why it cannot be cancelled any more; one that is cancelled already stays so.
        """
        found = await cancel_text(
            runtime.database,
            runtime.get_provider,
            decode_id("out", id),
            who=by.actor,
            now=runtime.now(),
        )
        runtime.announce_texts()
        return Outbound.model_validate(found)

    @router.post("/{id}/resolve")
    async def resolve_outbound(
        id: str,  # noqa: A002 the path's name
        body: Resolution,
        by: By,
    ) -> Outbound:
        """Say what became of an uncertain text, as the provider's Messages report shows it.

        `sent` ends the doubt, `resend` sends it again, `failed` gives it up.
        """
        found = await resolve_text(
            runtime.database,
            decode_id("out", id),
            body.outcome,
            provider_id=body.provider_id,
            who=by.actor,
            now=runtime.now(),
        )
        runtime.announce_texts()
        return Outbound.model_validate(found)

    return router


def show_queued(queued: Queued) -> dict[str, Any]:
    """The answer to a program whose texts are queued, ready for JSON."""
    return QueuedTexts(
        items=[Outbound.model_validate(each) for each in queued.texts],
        parts=queued.parts,
        estimated_credits=queued.estimated_credits,
        warnings=queued.warnings,
    ).model_dump(mode="json")


def _make_once(by: Caller, key: str, body: NewText) -> Once:
    if not key.isascii() or not key.isprintable():
        raise InvalidInput("a key has printable ASCII characters", field="Idempotency-Key")
    asked = json.dumps(body.model_dump(mode="json"), sort_keys=True)
    owner = "setting" if by.key_id is None else str(by.key_id)
    return Once(owner, key, hashlib.sha256(asked.encode()).digest())


def _read_message_id(text: str) -> int:
    try:
        return decode_id("msg", text)
    except NotFound as error:
        raise InvalidInput(str(error), field="in_reply_to") from None


def _read_detail(conn: Connection, number: int) -> OutboundDetail:
    found = outbound_texts.get_outbound(conn, number)
    shown = Outbound.model_validate(found).model_dump()
    calls = outbound_texts.list_attempts(conn, number)
    return OutboundDetail.model_validate(
        {**shown, "calls": calls, "history": list_changes(conn, number)}
    )


def _read_recipients(
    conn: Connection, number: int, *, before: int | None, limit: int
) -> Sequence[outbound_texts.Recipient]:
    outbound_texts.get_outbound(conn, number)
    return outbound_texts.list_recipients(conn, number, before=before, limit=limit)
