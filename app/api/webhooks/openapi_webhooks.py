"""What webhooks are sent, for the part `webhooks` of the description."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Header
from starlette.routing import BaseRoute

from app.api.webhooks.schemas import EVENTS

_RESPONSES = {
    "2XX": {"description": "Delivered; the beginning of the body is kept with the delivery"},
    "410": {"description": "The webhook is disabled"},
    "default": {"description": "It is delivered again later, with growing waits"},
}


@cache
def list_webhooks() -> Sequence[BaseRoute]:
    """An entry for each type of event; `turn_webhooks` makes its answer the request.

    Made when a description is first asked for: it takes longer than all else that is made when an
    application is.
    """
    router = APIRouter()
    for event in EVENTS:
        [name] = get_args(event.model_fields["type"].annotation)
        router.add_api_route(
            name,
            _make_endpoint(),
            methods=["POST"],
            response_model=event,
            tags=["webhooks"],
            summary=(event.__doc__ or "").removesuffix("."),
            operation_id=f"on_{name.replace('.', '_')}",
        )
    return router.routes


def turn_webhooks(schema: dict[str, Any]) -> None:
    """What we send is described as the objects of answers are, not as those of requests."""
    for operations in schema["webhooks"].values():
        for operation in operations.values():
            content = operation["responses"]["200"]["content"]
            operation["requestBody"] = {"required": True, "content": content}
            operation["responses"] = dict(_RESPONSES)
            operation["security"] = []


def _make_endpoint() -> Callable[..., None]:
    def receive(
        webhook_id: Annotated[
            str, Header(description="the same at every attempt: what came before can be ignored")
        ],
        webhook_timestamp: Annotated[
            str, Header(description="when this attempt was made, in seconds since 1970")
        ],
        webhook_signature: Annotated[
            str, Header(description="signatures by Standard Webhooks, with spaces between")
        ],
    ) -> None:
        """Verify the signature, answer at once, and do the work afterwards."""

    return receive
