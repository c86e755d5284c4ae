"""The bare ASGI app that answers `OK` to everything: what uvicorn alone can do here."""

from typing import Any

from benchmarks.servers.serving import serve

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"2")],
}
BODY = {"type": "http.response.body", "body": b"OK"}


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """The whole application."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    await send(START)
    await send(BODY)


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


if __name__ == "__main__":
    serve(lambda _database_url, _auth: answer)
