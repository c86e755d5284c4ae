"""`letterbox listen`: forwards events to a local URL, for developers behind a firewall."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx2
import typer

from app.cli.core.output import make_visible
from app.domain.errors import InvalidInput, LetterboxError
from app.domain.webhooks.payloads import TYPES
from app.domain.webhooks.signing import derive_listen_secret, show_secret, sign
from app.settings import load_settings
from app.shared_secrets import find_secrets
from app.storage.data_dir import DataDir

KEY_VARIABLE = "LETTERBOX_KEY"
FORWARD_SECONDS = 10.0
RECONNECT_SECONDS = 1.0
# The service sends a comment every fifteen seconds.
SILENT_SECONDS = 45.0

_REFUSED = frozenset({401, 403, 404, 422})


class Refused(LetterboxError):
    """The service does not let this key listen."""


def listen(
    *,
    forward_to: Annotated[
        str, typer.Option(help="The local URL to call, such as http://127.0.0.1:3000/texts.")
    ],
    url: Annotated[
        str, typer.Option(help="The service to follow. Default: the one of these settings.")
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            envvar=KEY_VARIABLE,
            help="An API key with messages:read. Default: LETTERBOX_API_KEY.",
        ),
    ] = "",
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help=f"One of {', '.join(TYPES)}; can be repeated. Default: all."),
    ] = None,
) -> None:
    """Forward events to a local URL, signed as webhooks are, until you press Ctrl-C."""
    unknown = [each for each in types or () if each not in TYPES]
    if unknown:
        raise InvalidInput(f"no type {unknown[0]}; they are {', '.join(TYPES)}", field="type")
    if not forward_to.startswith(("http://", "https://")):
        raise InvalidInput("write a URL such as http://127.0.0.1:3000/texts", field="forward_to")
    service, opened_by = _find_service(url, key)
    secret = derive_listen_secret(opened_by)
    typer.echo(show_secret(secret))
    typer.echo(f"Forwarding from {service} to {forward_to}; verify with this secret.", err=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_listen(service, opened_by, forward_to, set(types or TYPES), secret))


def _find_service(url: str, key: str) -> tuple[str, str]:
    if url and key:
        return url.rstrip("/"), key
    settings = load_settings()
    if not key and url:
        raise InvalidInput(f"give an API key of {url}, or set {KEY_VARIABLE}", field="key")
    found = key or find_secrets(settings, DataDir.open(settings.data_dir)).api_key
    return url or settings.base_url, found


async def _listen(
    service: str, key: str, forward_to: str, types: Collection[str], secret: bytes
) -> None:
    """Forward event after event, and resume where a connection broke. Raises Refused."""
    place: str | None = None
    timeout = httpx2.Timeout(FORWARD_SECONDS, read=SILENT_SECONDS)
    async with httpx2.AsyncClient(timeout=timeout) as client:
        while True:
            with contextlib.suppress(httpx2.HTTPError, TimeoutError):
                async for name, data, event_id in _follow(client, service, key, place):
                    if name in types:
                        await _forward(client, forward_to, data, secret)
                    elif name == "reset":
                        typer.echo("Some events are too old and were not forwarded.", err=True)
                    place = event_id or place
            await asyncio.sleep(RECONNECT_SECONDS)


async def _follow(
    client: httpx2.AsyncClient, service: str, key: str, place: str | None
) -> AsyncIterator[tuple[str, str, str]]:
    """Name, data and id of each event."""
    headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": place} if place else {})
    address = f"{service}/api/v1/events?format=webhook"
    async with client.stream("GET", address, headers=headers) as response:
        if response.status_code in _REFUSED:
            raise Refused(f"{service} answered {response.status_code}: check --url and --key")
        response.raise_for_status()
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line:
                name, _, text = line.partition(":")
                fields[name] = text.removeprefix(" ")
            elif fields:
                yield fields.get("event", ""), fields.get("data", ""), fields.get("id", "")
                fields = {}


async def _forward(client: httpx2.AsyncClient, url: str, data: str, secret: bytes) -> None:
    """Call the local URL once, and say what it answered."""
    content: dict[str, Any] = json.loads(data)
    message_id, now = str(content["id"]), datetime.now(UTC)
    loop = asyncio.get_running_loop()
    began = loop.time()
    headers = {"Content-Type": "application/json"} | sign([secret], message_id, now, data.encode())
    try:
        answer = await client.post(
            url, content=data.encode(), headers=headers, timeout=FORWARD_SECONDS
        )
        outcome = f"{answer.status_code} in {(loop.time() - began) * 1000:.0f} ms"
    except httpx2.HTTPError as error:
        outcome = f"failed ({type(error).__name__})"
    typer.echo(make_visible(f"{now:%H:%M:%S}  {content['type']}  {message_id}  {outcome}"))
