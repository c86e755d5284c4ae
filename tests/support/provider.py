"""The real client, calling a bare server on this machine."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

from app.provider.client import ProviderClient
from tests.support.endpoints.wire_server import Reply, WireServer, serve_replies

TOKEN = "Tok3n-of.the/account"
LONDON = ZoneInfo("Europe/London")


def make_client(url: str, **options: Any) -> ProviderClient:
    return ProviderClient(TOKEN, url=url, zone=LONDON, **options)


@asynccontextmanager
async def calling(
    *replies: Reply, **options: Any
) -> AsyncIterator[tuple[ProviderClient, WireServer]]:
    """A client, and the server that answers it so over plain HTTP."""
    # Loading the system's certificates takes longer than most tests, and none is needed here.
    options.setdefault("tls", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    async with serve_replies(*replies) as server, make_client(server.url, **options) as client:
        yield client, server
