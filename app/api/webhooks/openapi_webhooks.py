"""What webhooks are sent, for the part `webhooks` of the description."""

from collections.abc import Callable
from typing import Annotated, Any, get_args

from fastapi import FastAPI, Header

from app.api.webhooks.schemas import EVENTS

_RESPONSES = {
    "2XX": {"description": "Delivered; the beginning of the body is kept with the delivery"},
    "410": {"description": "The webhook is disabled"},
    "default": {"description": "It is delivered again later, with growing waits"},
}


def describe_webhooks(app: FastAPI) -> None:
    """Add an entry for each type of event; `turn_webhooks` makes its answer the request."""
    for event in EVENTS:
        [name] = get_args(event.model_fields["type"].annotation)
        app.webhooks.add_api_route(
            name,
            _make_endpoint(),
            methods=["POST"],
            response_model=event,
            tags=["webhooks"],
            summary=(event.__doc__ or "").removesuffix("."),
            operation_id=f"on_{name.replace('.', '_')}",
        )


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
