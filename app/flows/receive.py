"""Receives one forward: read it, check who sends it, and have it on disk before the answer."""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog

from app.domain.access import AuthValue
from app.domain.errors import AccessDenied, LetterboxError, Unavailable
from app.domain.messages import InboundMessage, sort_problems
from app.domain.numbers import normalise_number
from app.flows.admit import Gate
from app.flows.notices import Notices
from app.provider.forwarding import parse, read_request
from app.storage.intake import Intake

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Called once: with None as soon as the message is on disk; with AccessDenied where the caller may
# not forward; with Unavailable where that cannot be told or nothing can be written.
Done = Callable[[LetterboxError | None], None]

log = structlog.get_logger("letterbox.receive")


class _Arrived(NamedTuple):
    method: str
    query: bytes
    content_type: bytes
    body: bytes
    address: str
    done: Done


class Receiver:
    """The receive flow, with all that it needs held ready.

    It runs on callbacks: a task and a future for each forward would cost as much as reading it.
    """

    def __init__(
        self,
        gate: Gate,
        intake: Intake,
        *,
        forwarders: Sequence[Network] | None,
        zone: ZoneInfo,
        region: str,
        notices: Notices,
        now: Callable[[], datetime],
        make_nonce: Callable[[], bytes],
    ) -> None:
        """`forwarders` None admits every address."""
        self._gate = gate
        self._intake = intake
        self._forwarders = forwarders
        self._zone = zone
        self._region = region
        # The first forward need not wait until the tables of numbers are loaded.
        normalise_number("", region)
        self._notices = notices
        self._now = now
        self._make_nonce = make_nonce
        self._arrived: list[_Arrived] = []
        self._looking_up: set[asyncio.Task[None]] = set()

    def take(
        self,
        method: str,
        query: bytes,
        content_type: bytes,
        body: bytes,
        address: str,
        done: Done,
    ) -> None:
        """Take a forward whose last byte has come, and call `done` when its fate is known.

        All that arrive in one turn of the event loop are read together at its end: amid the work
        of the sockets it would take a quarter longer.
        """
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._read_arrived)
        self._arrived.append(_Arrived(method, query, content_type, body, address, done))

    def _read_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        now = self._now()
        for each in arrived:
            try:
                self._read(each, now)
            except Exception:
                # Whatever ails one of them, the others go on.
                log.exception("not_read")
                each.done(Unavailable("the forward could not be read"))

    def _read(self, arrived: _Arrived, now: datetime) -> None:
        method, query, content_type, body, address, done = arrived
        request = read_request(method, query, content_type, body)
        message = parse(
            request.raw,
            request.fields,
            zone=self._zone,
            region=self._region,
            arrived_at=now,
            nonce=self._make_nonce(),
        )
        if self._forwarders is not None and not self._is_forwarder(address):
            self._turn_away(address, message.dest, "forwarder", done)
        elif not request.auth:
            self._turn_away(address, message.dest, "missing-auth", done)
        elif value := self._gate.find(request.auth, message.dest, now):
            self._keep(message, value, done)
        else:
            looking_up = asyncio.create_task(self._look_up(request.auth, message, address, done))
            self._looking_up.add(looking_up)
            looking_up.add_done_callback(self._looking_up.discard)

    async def _look_up(
        self, auth: bytes, message: InboundMessage, address: str, done: Done
    ) -> None:
        try:
            value = await self._gate.look_up(auth, message.dest)
        except Unavailable as error:
            done(error)
            return
        if value is None:
            self._turn_away(address, message.dest, "wrong-auth", done)
        else:
            self._keep(message, value, done)

    def _keep(self, message: InboundMessage, value: AuthValue, done: Done) -> None:
        if self._gate.admission.is_unknown_number(message.dest):
            message.problems = sort_problems([*message.problems, "unknown-number"])
        self._notices.on_admitted(value.id)
        self._intake.put(message, done)

    def _turn_away(self, address: str, dest: str, reason: str, done: Done) -> None:
        self._notices.on_turned_away(address, dest, reason)
        done(AccessDenied(reason))

    def _is_forwarder(self, address: str) -> bool:
        try:
            caller = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(caller in network for network in self._forwarders or ())
