"""The objects about webhooks, and what webhooks are sent."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from app.api.core.enums import DeliveryState, WebhookState, WebhookType
from app.api.core.schemas import OUR_NUMBER, Message, Shown, Time, read_id
from app.api.operations.schemas import Alert
from app.api.outbound.schemas import Outbound
from app.api.webhooks.subjects import OptOutChange
from app.storage.webhooks.deliveries import Delivery as StoredDelivery
from app.storage.webhooks.endpoints import Webhook as StoredWebhook

AN_URL = "https://example.com/texts"
A_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw3s8n2b1QvYE="  # noqa: S105 an example


class Delivery(Shown):
    """One event for one webhook, with the last attempt to deliver it."""

    id: Annotated[str, read_id("dlv")] = Field(description="opaque", examples=["dlv_9"])
    webhook_id: Annotated[str, read_id("whk")] = Field(description="the webhook it is for")
    message_id: str = Field(
        description="the header `webhook-id`, the same at every attempt",
        examples=["evt_2k_received"],
    )
    type: str = Field(description="what happened", examples=["message.received"])
    state: DeliveryState = Field(description="whether it is done")
    attempts: int = Field(description="how often it was attempted")
    happened_at: Time = Field(description="when it happened")
    attempted_at: Time | None = Field(description="when it was last attempted")
    due_at: Time | None = Field(description="when it is attempted next; null: not again")
    status: int | None = Field(
        description="the HTTP status of the last answer; null where none came", examples=[200]
    )
    answer: str = Field(description="the first 1,024 bytes of its body")
    error: str = Field(description='what is wrong with it; "" where it was 2xx')
    milliseconds: int | None = Field(description="how long the last attempt took", examples=[38])
    body: str = Field(description="what was sent, as it was signed")


class Webhook(Shown):
    """An endpoint that is called when something happens."""

    id: Annotated[str, read_id("whk")] = Field(description="opaque", examples=["whk_3"])
    url: str = Field(description="what is called", examples=[AN_URL])
    types: Sequence[WebhookType] = Field(description="what it hears of")
    numbers: Sequence[str] = Field(
        description="only what concerns these numbers of ours; none: all. Alerts and opt-outs"
        " concern all",
        examples=[[OUR_NUMBER]],
    )
    ordered: bool = Field(
        description="whether an event of a conversation waits until earlier ones are delivered"
    )
    state: WebhookState = Field(description="how it does")
    disabled_reason: str | None = Field(description="why it is disabled; null where it is not")
    failing_since: Time | None = Field(
        description="the first failure since the last success; null: the last attempt succeeded"
    )
    created_at: Time = Field(description="when it was created")
    last_delivery: Delivery | None = Field(description="the last that was attempted")


class WebhookWithSecret(Webhook):
    """A webhook at the one moment when its secret can be seen."""

    secret: str = Field(
        description="what deliveries are signed with, as libraries of Standard Webhooks take it",
        examples=[A_SECRET],
    )


class Replayed(Shown):
    """What is delivered again."""

    queued: int | None = Field(
        description="how many deliveries; null with `since`, because events are read as they are"
        " delivered"
    )


def show_webhook(stored: StoredWebhook, last: StoredDelivery | None) -> Webhook:
    """A webhook as programs see it."""
    names = set(Webhook.model_fields) - {"last_delivery"}
    values = {name: getattr(stored, name) for name in names}
    shown = None if last is None else Delivery.model_validate(last)
    return Webhook.model_validate(values | {"last_delivery": shown})


_MessageId = Annotated[
    str,
    BeforeValidator(str),
    Field(description="as in the header `webhook-id`", examples=["evt_2k_received"]),
]
_HappenedAt = Annotated[Time, Field(description="when it happened")]


class MessageReceivedEvent(Shown):
    """A text came in."""

    id: _MessageId
    type: Literal["message.received"] = Field(description="the type of event")
    timestamp: _HappenedAt
    data: Message = Field(description="the message")


class MessageHandledEvent(Shown):
    """The rules have decided about a text, for the first time or after a replay."""

    id: _MessageId
    type: Literal["message.handled"] = Field(description="the type of event")
    timestamp: _HappenedAt
    data: Message = Field(description="the message with its outcome")


class OutboundStatusEvent(Shown):
    """A text is to go out, or its status has changed."""

    id: _MessageId
    type: Literal["outbound.status"] = Field(description="the type of event")
    timestamp: _HappenedAt
    data: Outbound = Field(description="the text")


class OptOutChangedEvent(Shown):
    """Somebody has opted out, or back in."""

    id: _MessageId
    type: Literal["opt_out.changed"] = Field(description="the type of event")
    timestamp: _HappenedAt
    data: OptOutChange = Field(description="the number and how it stands")


class AlertOpenedEvent(Shown):
    """Something needs a person."""

    id: _MessageId
    type: Literal["alert.opened"] = Field(description="the type of event")
    timestamp: _HappenedAt
    data: Alert = Field(description="the alert")


class AlertClosedEvent(Shown):
    """It is over."""

    id: _MessageId
    type: Literal["alert.closed"] = Field(description="the type of event")
    timestamp: _HappenedAt
    data: Alert = Field(description="the alert")


EVENTS: tuple[type[Shown], ...] = (
    MessageReceivedEvent,
    MessageHandledEvent,
    OutboundStatusEvent,
    OptOutChangedEvent,
    AlertOpenedEvent,
    AlertClosedEvent,
)
