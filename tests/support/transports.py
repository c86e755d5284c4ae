"""The provider's client over a transport of the HTTP library instead of a network."""

import httpcore2
import httpx2


class TransportPool:
    """Hands each call to a transport, once its body has left."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        content = b"".join([chunk async for chunk in request.stream])  # type: ignore[union-attr]
        url = bytes(request.url).decode()
        asked = httpx2.Request("POST", url, headers=request.headers, content=content)
        try:
            response = await self._transport.handle_async_request(asked)
        except httpx2.TransportError as error:
            # The same one of the level below.
            raise getattr(httpcore2, type(error).__name__)(str(error)) from error
        stream, headers = response.stream, response.headers.raw
        assert isinstance(stream, httpx2.AsyncByteStream)
        return httpcore2.Response(response.status_code, headers=headers, content=stream)

    async def aclose(self) -> None:
        await self._transport.aclose()
