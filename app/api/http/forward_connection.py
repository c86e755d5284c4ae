"""A forward on a caller's connection: how its body is read, taken and answered."""

from abc import ABC, abstractmethod
from typing import Any

from app.api.http.answers import Answer
from app.api.http.bounded_connection import MAX_WORD_BYTES, BoundedConnection
from app.api.http.request_body import BodyReader
from app.api.http.request_head import Head, is_leftover
from app.provider.forwards.bodies import MAX_BYTES

# What a forward may be on the wire after its head: a body in the smallest chunks is several times
# its size, and nobody else bounds what stands between and behind them (extensions, trailers).
MAX_FORWARD_BYTES = 1024 * 1024
# For the head of any request, and for the whole of a forward.
READ_TIMEOUT_SECONDS = 10.0
# For a letter behind a body, which may be its end or the beginning of another request.
LETTER_SECONDS = 0.1


class ForwardConnection(BoundedConnection, ABC):
    """Passes each forward to the endpoint, with a callback for the answer.

    `HttpProtocol`, which derives from this class, reads what comes before and after it.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        # What reads the body of the current request.
        self._body: BodyReader | None = None

    @abstractmethod
    def _advance(self) -> None:
        """Read as far as the data that has arrived allows."""

    def _begin_forward(self, head: Head, newline: bytes) -> None:
        refused = self._inbound.judge(
            head.method, head.query, head.length, head.headers, self._client
        )
        if refused is not None:
            self._refuse(refused)
        elif head.length is not None and len(self._buffer) >= head.length:
            body, self._buffer = self._buffer[: head.length], self._buffer[head.length :]
            self._take_forward(head, body)
        else:
            self._received = bytearray()
            self._wait_for_body(head, newline, READ_TIMEOUT_SECONDS)
            if head.expects_continue and not self._buffer:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_forward(self, head: Head, body: bytes) -> None:
        self._state = "answering"
        if body and head.length and self._buffer and self._is_doubtful:
            self.loop.call_later(LETTER_SECONDS, self._take_doubtful, head, body)
        else:
            self._hand_over(head, body)

    @property
    def _is_doubtful(self) -> bool:
        """Whether a few letters follow that may be the end of the body or another request."""
        is_odd = is_leftover(self._buffer[:MAX_WORD_BYTES], has_ended=True)
        return is_odd and not self._has_leftover

    def _take_doubtful(self, head: Head, body: bytes) -> None:
        self._has_waited = True
        self._hand_over(head, body)

    def _hand_over(self, head: Head, body: bytes) -> None:
        self._inbound.take(
            head.method,
            head.query,
            head.headers,
            self._client,
            body,
            lambda answer: self._answer_forward(head, answer),
            is_cut=bool(body and head.length) and self._has_leftover,
        )

    def _wait_for_body(self, head: Head, newline: bytes, seconds: float) -> None:
        self._body = BodyReader(head.length, newline=newline)
        self._wire_bytes = 0
        if self._state == "head" and self._exchange is None:
            seconds = self._deadline - self.loop.time()
        self._wait("body", seconds)

    def _take_forwards_body(self, body: bytes, *, is_complete: bool) -> None:
        if self._head is None:
            raise RuntimeError("there is no forward to be read")
        self._received += body
        if len(self._received) > MAX_BYTES or self._wire_bytes > MAX_FORWARD_BYTES:
            self._refuse(self._inbound.refuse_too_large(self._head.headers, self._client))
        elif is_complete:
            self._connections.engage(self)
            self._take_forward(self._head, bytes(self._received))

    def _answer_forward(self, head: Head, answer: Answer) -> None:
        """Write it, unless the caller has gone or already has an answer."""
        if self._state != "answering" or self._head is not head:
            return
        self._server_state.total_requests += 1
        if answer.status == 200:
            self.is_trusted = True
        if self._is_reusable(head) and not answer.closes:
            self.write(self._inbound.prepared.write(answer, self.default_headers))
            self._rest()
            if self._buffer or self._has_ended:
                self._go_on()
        else:
            self.write(answer.write(self.default_headers, closes=True))
            self._finish()

    def _rest(self) -> None:
        """The current request is answered: wait for the next."""
        self._head = self._body = None
        self._has_waited = False
        self._wait("idle", self._keep_alive_seconds)

    def _go_on(self) -> None:
        """Read what has arrived in the meantime."""
        self.resume_reading()
        self._advance()
