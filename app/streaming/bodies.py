"""Bodies up to a size."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive


def limit_body(receive: Receive, max_bytes: int) -> Receive:
    """The same body. Reading more than so many bytes of it raises HTTPException 413."""
    size = 0

    async def receive_limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > max_bytes:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return receive_limited
