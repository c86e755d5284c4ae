"""/webhooks: the endpoints that are called when something happens."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call, CallContext, WebhookId
from app.api.core.enums import DeliveryState, WebhookType
from app.api.core.etags import IfMatch
from app.api.core.filters import TimeFilter
from app.api.core.lists import CREATED, LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import OUR_NUMBER, Changes, Page, Sent, Text
from app.api.webhooks.schemas import (
    AN_URL,
    Delivery,
    Replayed,
    Webhook,
    WebhookWithSecret,
    show_webhook,
)
from app.domain.errors import InvalidInput
from app.domain.ids import decode_id
from app.domain.webhooks.payloads import TYPES
from app.flows.webhooks import configure_webhooks, redeliver
from app.flows.webhooks.configure_webhooks import MOST_NUMBERS, Rules
from app.storage.db.database import Connection
from app.storage.webhooks import deliveries, endpoints

router = make_router("/webhooks", "admin")

Url = Annotated[
    Text,
    Field(
        max_length=2000,
        description="what is called: https, or http to networks that WEBHOOK_NETWORKS allows",
        examples=[AN_URL],
    ),
]
Types = Annotated[
    list[WebhookType],
    Field(min_length=1, description="what it hears of", examples=[["message.received"]]),
]
Numbers = Annotated[
    list[Annotated[Text, Field(max_length=40)]],
    Field(
        max_length=MOST_NUMBERS,
        description="only what concerns these numbers of ours; none: all",
        examples=[[OUR_NUMBER]],
    ),
]
Ordered = Annotated[
    bool,
    Field(description="true: an event of a conversation waits until earlier ones are delivered"),
]


class WebhookCreate(Sent):
    """A webhook to create; it hears of everything unless told otherwise."""

    url: Url
    types: Types = Field(default_factory=lambda: list(TYPES))
    numbers: Numbers = Field(default_factory=list)
    ordered: Ordered = False


class WebhookChanges(Changes):
    """What to change; what is left out stays."""

    url: Url = Field(default_factory=str)
    types: Types = Field(default_factory=list)
    numbers: Numbers = Field(default_factory=list)
    ordered: Ordered = False
    state: Annotated[
        Literal["active", "disabled"],
        Field(description="`active` enables it again: it goes on where it stopped"),
    ] = "active"


class ReplayRequest(Sent):
    """What to deliver again: one of these."""

    delivery_id: Annotated[
        Text | None, Field(max_length=40, description="this delivery", examples=["dlv_9"])
    ] = None
    failed: Annotated[
        Literal[True] | None,
        Field(description="true: all that failed, the oldest 1,000 at most"),
    ] = None
    since: Annotated[
        TimeFilter,
        Field(description="every event since then, delivered or not; seven days at most"),
    ] = None


class DeliveryQuery(ListQuery):
    """The filter of deliveries."""

    state: Annotated[DeliveryState | None, Field(description="only those in this state")] = None


@router.get("", responses=LINK_HEADER)
async def list_webhooks(call: Call, query: Annotated[ListQuery, Query()]) -> Page[Webhook]:
    """List the webhooks, newest first."""
    return await answer_list(call, query, _list_shown, lambda each: each.shown)


@router.post("", status_code=201, responses=CREATED)
async def add_webhook(body: WebhookCreate, call: Call) -> WebhookWithSecret:
    """Create a webhook, which hears of what happens from now on; its secret is shown in this
    answer alone.
    """
    made = await configure_webhooks.add_webhook(
        call.database,
        body.url,
        types=body.types,
        numbers=body.numbers,
        ordered=body.ordered,
        rules=_find_rules(call),
        master=call.runtime.secrets.api_key,
        who=call.actor,
        now=call.now,
    )
    call.runtime.announce_webhooks()
    shown = show_webhook(made.webhook, None)
    call.locate(f"/webhooks/{shown.id}")
    return WebhookWithSecret(**shown.model_dump(), secret=made.secret)


@router.get("/{id}")
async def get_webhook(id: WebhookId, call: Call) -> Webhook:
    """Get one webhook, without its secret."""
    return await call.database.read(_get_shown, id)


@router.patch("/{id}")
async def change_webhook(
    id: WebhookId, body: WebhookChanges, call: Call, if_match: IfMatch
) -> Webhook:
    """Change a webhook, disable it, or enable it again; the secret stays."""
    await configure_webhooks.change_webhook(
        call.database,
        id,
        body.model_dump(exclude_unset=True),
        rules=_find_rules(call),
        check=if_match.checking(_show_plain),
        who=call.actor,
        now=call.now,
    )
    call.runtime.announce_webhooks()
    return await call.database.read(_get_shown, id)


@router.delete("/{id}", status_code=204)
async def remove_webhook(id: WebhookId, call: Call, if_match: IfMatch) -> None:
    """Remove a webhook with its deliveries: from now on nothing is delivered to it."""
    check = if_match.checking(_show_plain)
    await configure_webhooks.remove_webhook(
        call.database, id, check=check, who=call.actor, now=call.now
    )
    call.runtime.announce_webhooks()


@router.post("/{id}/rotate-secret")
async def rotate_secret(id: WebhookId, call: Call, if_match: IfMatch) -> WebhookWithSecret:
    """Make a new secret, shown in this answer alone; for 24 hours deliveries are signed with the
    one before it as well.
    """
    made = await configure_webhooks.rotate_secret(
        call.database,
        id,
        master=call.runtime.secrets.api_key,
        check=if_match.checking(_show_plain),
        who=call.actor,
        now=call.now,
    )
    call.runtime.announce_webhooks()
    shown = await call.database.read(_get_shown, id)
    return WebhookWithSecret(**shown.model_dump(), secret=made.secret)


@router.post("/{id}/test", status_code=202)
async def test_webhook(id: WebhookId, call: Call) -> Delivery:
    """Send an event of the type `webhook.test`; the deliveries show what came of it."""
    queued = await redeliver.send_test(call.database, id, who=call.actor, now=call.now)
    call.runtime.announce_webhooks()
    return Delivery.model_validate(queued)


@router.post("/{id}/replay", status_code=202)
async def replay_webhook(id: WebhookId, body: ReplayRequest, call: Call) -> Replayed:
    """Deliver again: one delivery, all that failed, or every event since a time.

    What is delivered again has the same `webhook-id` as before. Events since a time are delivered
    before newer ones.
    """
    if len(body.model_dump(exclude_none=True)) != 1:
        raise InvalidInput("write one of delivery_id, failed and since", field="delivery_id")
    database, who, now = call.database, call.actor, call.now
    queued: int | None = None
    if body.delivery_id is not None:
        delivery_id = decode_id("dlv", body.delivery_id)
        queued = await redeliver.replay_delivery(database, id, delivery_id, who=who, now=now)
    elif body.since is not None:
        await redeliver.replay_since(database, id, body.since, who=who, now=now)
    else:
        queued = await redeliver.replay_failed(database, id, who=who, now=now)
    call.runtime.announce_webhooks()
    return Replayed(queued=queued)


@router.get("/{id}/deliveries", responses=LINK_HEADER)
async def list_deliveries(
    id: WebhookId, call: Call, query: Annotated[DeliveryQuery, Query()]
) -> Page[Delivery]:
    """List what was delivered and what is to be attempted again, newest first.

    The newest 500 that were delivered are kept, and the newest 1,000 that failed, for 30 days.
    """

    def read(conn: Connection, **filters: Any) -> list[deliveries.Delivery]:
        endpoints.get_webhook(conn, id)
        return deliveries.list_deliveries(conn, id, **filters)

    return await answer_list(call, query, read, Delivery.model_validate)


@dataclass(frozen=True, slots=True)
class _Listed:
    id: int
    shown: Webhook


def _list_shown(conn: Connection, **page: Any) -> list[_Listed]:
    found = endpoints.list_webhooks(conn, **page)
    last = deliveries.find_last_deliveries(conn, {each.id: each.last_message_id for each in found})
    return [_Listed(each.id, show_webhook(each, last.get(each.id))) for each in found]


def _get_shown(conn: Connection, webhook_id: int) -> Webhook:
    found = endpoints.get_webhook(conn, webhook_id)
    last = deliveries.find_last_deliveries(conn, {webhook_id: found.last_message_id})
    return show_webhook(found, last.get(webhook_id))


def _show_plain(stored: endpoints.Webhook) -> Webhook:
    """What people change, for If-Match."""
    return show_webhook(stored, None)


def _find_rules(call: CallContext) -> Rules:
    return Rules(call.runtime.settings.webhook_networks, call.region)
