"""An endpoint of webhooks: answers each call after a while, and tells when what came."""

import asyncio
import json
import sys
import time
from functools import partial

import uvloop

ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Endpoint(asyncio.Protocol):
    """One connection. A GET is answered with the times of all calls: arrival, and the event's."""

    def __init__(self, seconds: float, calls: list[tuple[float, str]]) -> None:
        self._seconds = seconds
        self._calls = calls
        self._data = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"GET"):
            self._tell()
            return
        start = head.lower().index(b"content-length:") + 15
        length = int(head[start:].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self._data = rest[length:]
        self._calls.append((now, json.loads(rest[:length])["timestamp"]))
        asyncio.get_running_loop().call_later(self._seconds, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER)

    def _tell(self) -> None:
        body = json.dumps(self._calls).encode()
        self._calls.clear()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._transport.write(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)
        self._transport.close()


async def serve(seconds: float) -> None:
    calls: list[tuple[float, str]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Endpoint, seconds, calls), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(float(sys.argv[1])))
