"""A proxy in front of a service that holds answers back until they end, or fails once."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOPS = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class Proxy(ThreadingHTTPServer):
    """Listens on a free port. `holds_back` is what lighttpd does unless told otherwise.

    `failures` requests of the script for parts of a page are answered 502.
    """

    daemon_threads = True

    def __init__(self, target: int, *, holds_back: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.holds_back = holds_back
        self.failures = 0
        self.failed = 0
        self.opened: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A browser that hangs up is nothing to tell of."""


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        if self.server.failures and self.headers["X-Letterbox-Part"]:
            self.server.failures -= 1
            self.server.failed += 1
            self.send_error(502)
            return
        far = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=60)
        with contextlib.closing(far), contextlib.suppress(OSError, http.client.HTTPException):
            far.connect()
            self.server.opened.append(far.sock)
            self._pass_on(far)

    def do_POST(self) -> None:
        self.do_GET()

    def _pass_on(self, far: http.client.HTTPConnection) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        far.request(self.command, self.path, body, dict(self.headers))
        with contextlib.closing(far.getresponse()) as answer:
            self._answer(answer)

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        held = answer.read() if self.server.holds_back else b""
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOPS:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(held)
        while chunk := answer.read1():
            self.wfile.write(chunk)

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def proxying(target: int, *, holds_back: bool) -> Iterator[Proxy]:
    """A proxy of a local port for the length of the block."""
    with Proxy(target, holds_back=holds_back) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join(10)
            for each in proxy.opened:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
