"""Receives forwards: checks who sends them, and stores them before they are answered."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog

from app.domain.access.addresses import Network, NetworkSet
from app.domain.access.credentials import AuthValue
from app.domain.errors import AccessDenied, LetterboxError, TooLarge, Unavailable
from app.domain.inbound.messages import sort_problems
from app.domain.numbers import normalise_number
from app.flows.access.auth_gate import AuthGate
from app.flows.operations.deferred_writes import DeferredWrites
from app.provider.forwards.forwarding import ForwardRequest, parse, read_request
from app.provider.forwards.glance import cut_path, peek_dest
from app.storage.inbound.intake import Intake

# If the look-up of an auth value hangs, the caller still gets an answer.
LOOK_UP_SECONDS = 4.0
# Reading what is larger than any provider sends takes milliseconds, and strangers can send it too:
# so it is read one by one, and for a quarter of the time at most.
LARGE_BYTES = 8 * 1024
LARGE_PAUSE = 3

# A reason to turn a forward away, see `refused_forwards`.
MISSING_AUTH = "missing-auth"

# Called once: with None as soon as the message is on disk; with AccessDenied if the caller may not
# forward; with TooLarge if the body inflates to more than the limit; with Unavailable if this
# cannot be checked or nothing can be written.
OnReceived = Callable[[LetterboxError | None], None]

log = structlog.get_logger("letterbox.receive")


class _Arrived(NamedTuple):
    method: str
    query: bytes
    content_type: bytes
    body: bytes
    address: str
    done: OnReceived
    coding: bytes
    is_cut: bool


class Receiver:
    """The receive flow.

    It runs on callbacks: a task and a future for each forward would cost as much as reading it.
    """

    def __init__(
        self,
        auth_gate: AuthGate,
        intake: Intake,
        *,
        forwarders: Sequence[Network] | None,
        zone: ZoneInfo,
        region: str,
        deferred_writes: DeferredWrites,
        now: Callable[[], datetime],
        make_nonce: Callable[[], bytes],
    ) -> None:
        """`forwarders` are the addresses admitted; None admits all."""
        self._auth_gate = auth_gate
        self._intake = intake
        self._forwarders = None if forwarders is None else NetworkSet(forwarders)
        self._zone = zone
        self._region = region
        # Loads the tables of numbers now, so that the first forward does not wait for them.
        normalise_number("", region)
        self._deferred_writes = deferred_writes
        self._now = now
        self._make_nonce = make_nonce
        self._arrived: list[_Arrived] = []
        self._large: deque[_Arrived] = deque()
        self._reading_large: asyncio.Handle | None = None
        self._looking_up: set[asyncio.Task[None]] = set()
        # When a refused forward may be read again for its auth value.
        self._checks_again_at = 0.0

    def admits(self, address: str) -> bool:
        """Whether a caller from that address may forward; call `turn_away` for any other."""
        return self._forwarders is None or address in self._forwarders

    def turn_away(self, url: bytes, body: bytes, address: str, reason: str) -> None:
        """Note a forward that was refused whatever its auth value is.

        A right one says that the texts to its number are ours, though nobody configured it.
        """
        dest = peek_dest(url, body, self._region)
        is_known = not dest.isdecimal() or dest in self._auth_gate.admission.numbers
        if not is_known and self._has_right_auth(url, body):
            self._deferred_writes.on_vouched(dest)
        self._deferred_writes.on_turned_away(address, dest, reason)

    def _has_right_auth(self, url: bytes, body: bytes) -> bool:
        """Looked for in a quarter of the time at most: strangers can send such requests as well."""
        began = asyncio.get_running_loop().time()
        if len(url) + len(body) > LARGE_BYTES or began < self._checks_again_at:
            return False
        admission, now = self._auth_gate.admission, self._now()
        try:
            secrets = read_request("POST", cut_path(url), b"", body).read_secrets()
            return any(admission.recognise(secret, now) for secret in secrets)
        except TooLarge:
            return False
        finally:
            ended = asyncio.get_running_loop().time()
            self._checks_again_at = ended + LARGE_PAUSE * (ended - began)

    def take(
        self,
        method: str,
        query: bytes,
        content_type: bytes,
        body: bytes,
        address: str,
        done: OnReceived,
        *,
        coding: bytes = b"",
        is_cut: bool = False,
    ) -> None:
        """Receive a complete forward, and call `done` when it is stored or refused.

        `content_type` and `coding` are the values of Content-Type and Content-Encoding, or b"".
        `is_cut` if bytes after the body show that its announced length was too short, as when a
        client counts characters.

        All that arrive in one turn of the event loop are read together at its end: reading between
        socket operations would take a quarter longer.
        """
        arrived = _Arrived(method, query, content_type, body, address, done, coding, is_cut)
        if len(query) + len(body) > LARGE_BYTES or coding:
            self._large.append(arrived)
            if self._reading_large is None:
                self._reading_large = asyncio.get_running_loop().call_soon(self._read_large)
            return
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._read_arrived)
        self._arrived.append(arrived)

    def _read_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        now = self._now()
        for each in arrived:
            self._try_to_read(each, now)

    def _read_large(self) -> None:
        if not self._large:
            self._reading_large = None
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._try_to_read(self._large.popleft(), self._now())
        pause = LARGE_PAUSE * (loop.time() - began)
        self._reading_large = loop.call_later(pause, self._read_large)

    def _try_to_read(self, arrived: _Arrived, now: datetime) -> None:
        """One bad forward must not stop the rest."""
        try:
            self._read(arrived, now)
        except TooLarge as error:
            arrived.done(error)
        except Exception:
            log.exception("not_read")
            arrived.done(Unavailable("the forward could not be read"))

    def _read(self, arrived: _Arrived, now: datetime) -> None:
        """Check `auth` before parsing the rest."""
        method, query, content_type, body, address, done, coding, is_cut = arrived
        request = read_request(method, query, content_type, body, coding)
        if is_cut:
            request = request.note("charset")
        if not request.auth and not request.auths:
            self._turn_away(address, request.read_dest(self._region), MISSING_AUTH, done)
        elif not self._admit(request, done, now):
            looking_up = asyncio.create_task(self._look_up(request, address, done, now))
            self._looking_up.add(looking_up)
            looking_up.add_done_callback(self._looking_up.discard)

    def _admit(self, request: ForwardRequest, done: OnReceived, now: datetime) -> bool:
        """Store the message if one of its auth values is in memory."""
        admission = self._auth_gate.admission
        for secret in request.read_secrets():
            value = admission.recognise(secret, now)
            if value is not None and (
                value.number is None or admission.serves(value, request.read_dest(self._region))
            ):
                self._keep(request.forget(secret), value, done, now)
                return True
        return False

    async def _look_up(
        self, request: ForwardRequest, address: str, done: OnReceived, arrived_at: datetime
    ) -> None:
        """Admit or refuse after rereading the database. `done` is always called."""
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                await self._auth_gate.read_again()
            if not self._admit(request, done, arrived_at):
                self._turn_away(address, request.read_dest(self._region), "wrong-auth", done)
        except Unavailable as error:
            done(error)
        except TimeoutError:
            done(Unavailable("the database does not answer"))
        except Exception:
            log.exception("not_looked_up")
            done(Unavailable("the auth value could not be looked up"))
        except asyncio.CancelledError:
            done(Unavailable("the service is stopping"))
            raise

    def _keep(
        self, request: ForwardRequest, value: AuthValue, done: OnReceived, arrived_at: datetime
    ) -> None:
        message = parse(
            request.raw,
            request.fields,
            zone=self._zone,
            region=self._region,
            arrived_at=arrived_at,
            nonce=self._make_nonce(),
        )
        if self._auth_gate.admission.is_unknown_number(message.dest):
            message.problems = sort_problems([*message.problems, "unknown-number"])
        self._deferred_writes.on_admitted(value.id)
        self._intake.put(message, done)

    def _turn_away(self, address: str, dest: str, reason: str, done: OnReceived) -> None:
        self._deferred_writes.on_turned_away(address, dest, reason)
        done(AccessDenied(reason))
