"""The description of /inbound, which no framework knows of."""

from typing import Any

from app.api.core.schemas import A_SENDER, OUR_NUMBER
from app.provider.forwards.bodies import MAX_BYTES

_TEXT: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
_FORWARD: dict[str, tuple[str, str]] = {
    "source": ("who sent the text", A_SENDER),
    "dest": ("the virtual number that was texted", OUR_NUMBER),
    "msg": ("the text", "Is the shop open on Sunday?"),
    "id": ("the provider's id of the text", "184467"),
    "receivedts": ("the provider's local time, as YYYY-MM-DD HH:MM:SS", ""),
    "auth": ("the secret that the provider passes through", "the-auth-value-of-the-number"),
    **dict.fromkeys(
        ("MMName", "MMEmail", "MM1", "MM2", "MM3", "MM4", "MM5"),
        ("a merge field, from a distribution list", ""),
    ),
}


FORWARD = "Forward"


def describe_forward() -> dict[str, Any]:
    """The schema FORWARD: what a form, a multipart body or a JSON object may hold."""
    fields = {
        name: {"type": "string", "description": text, **({"examples": [value]} if value else {})}
        for name, (text, value) in _FORWARD.items()
    }
    return {
        "type": "object",
        "description": "A text as the provider forwards it; parameters nobody knows are kept",
        "properties": fields,
    }


def describe_inbound() -> dict[str, Any]:
    responses = {
        "200": {"description": "`OK`: the message is on disk, or was already", "content": _TEXT},
        "400": {"description": "the request cannot be read, or ended too early", "content": _TEXT},
        "403": {"description": "`auth` or the caller's address is wrong", "content": _TEXT},
        "408": {"description": "the request did not arrive in time", "content": _TEXT},
        "413": {"description": f"over {MAX_BYTES // 1024} KiB", "content": _TEXT},
        "503": {
            "description": "nothing durable can be written; send it again",
            "content": _TEXT,
            "headers": {
                "Retry-After": {
                    "description": "after how many seconds",
                    "schema": {"type": "integer"},
                }
            },
        },
    }
    form = {"schema": {"$ref": f"#/components/schemas/{FORWARD}"}}
    shared = {
        "tags": ["inbound"],
        "security": [],
        "responses": responses,
        "parameters": [
            {
                "name": name,
                "in": "query",
                "description": text,
                "schema": {"type": "string", **({"examples": [value]} if value else {})},
            }
            for name, (text, value) in _FORWARD.items()
        ],
    }
    description = (
        "The address to put into the provider's page. Names are taken in any case, unknown"
        " parameters are kept; with the right `auth` no content is refused, however odd."
    )
    types = ("application/x-www-form-urlencoded", "multipart/form-data", "application/json")
    return {
        "get": {
            **shared,
            "operationId": "forward_by_get",
            "summary": "Forward a text by GET",
            "description": description,
        },
        "post": {
            **shared,
            "operationId": "forward_by_post",
            "summary": "Forward a text by POST",
            "description": f"{description} Query and body may be mixed.",
            "requestBody": {"required": False, "content": dict.fromkeys(types, form)},
        },
    }
