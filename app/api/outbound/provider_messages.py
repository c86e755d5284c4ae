"""/provider: what the provider says about any of its ids; nothing is stored."""

from typing import Annotated

from fastapi import Path
from pydantic import Field

from app.api.core.calls import Call
from app.api.core.enums import OutboundStatus
from app.api.core.routing import make_router
from app.api.core.schemas import A_SENDER, Shown
from app.domain.outbound.statuses import ProviderStatus, read_outcome
from app.domain.provider_errors import CodeError
from app.provider.codes import NO_MESSAGES

router = make_router(
    "/provider",
    "admin",
    acts_at_provider=True,
    fields={"message_id": "provider_id", "background_id": "id"},
)

ProviderId = Annotated[
    str, Path(max_length=64, description="the provider's id of a text, or of a part of one")
]
BackgroundId = Annotated[
    str, Path(max_length=64, description="the provider's id of a send to a list or group")
]


class ProviderMessage(Shown):
    """What the provider says of one of its messages."""

    provider_id: str = Field(description="the provider's id of it", examples=["184467"])
    provider_status: str = Field(description="the provider's word for it", examples=["Delivered"])
    status: OutboundStatus = Field(description="what that word means here")


class BackgroundMessage(ProviderMessage):
    """One message of a send to a list or group."""

    to: str = Field(description="whom it goes to", examples=[A_SENDER])


class BackgroundMessages(Shown):
    """The messages of a send to a list or group, as far as the provider has them."""

    items: list[BackgroundMessage] = Field(description="in the provider's order")


@router.get("/messages/{provider_id}")
async def get_provider_message(provider_id: ProviderId, call: Call) -> ProviderMessage:
    """Ask the provider for the status of a text by its own id, whoever sent it."""
    status = await call.runtime.get_provider().check_message_status(provider_id)
    return ProviderMessage.model_validate(_show_status(provider_id, status))


@router.post("/messages/{provider_id}/cancel", status_code=204)
async def cancel_provider_message(provider_id: ProviderId, call: Call) -> None:
    """Cancel a text at the provider by its own id; 404 where it has been sent or is unknown.

    A text that is in the outbox here is better cancelled there.
    """
    await call.runtime.get_provider().cancel_message(provider_id)
    await call.note("provider.cancel", provider_id)


@router.get("/background/{id}")
async def get_background_send(id: BackgroundId, call: Call) -> BackgroundMessages:
    """Ask the provider for the messages of a send to a list or group; 409 while it goes on."""
    try:
        found = await call.runtime.get_provider().get_background_messages(id)
    except CodeError as error:
        if error.code != NO_MESSAGES:
            raise
        found = ()
    shown = [
        {**_show_status(each.message_id, each.status), "to": each.destination} for each in found
    ]
    return BackgroundMessages.model_validate({"items": shown})


def _show_status(provider_id: str, status: ProviderStatus) -> dict[str, str]:
    return {
        "provider_id": provider_id,
        "provider_status": status.word,
        "status": str(read_outcome(status.word)),
    }
