"""Receives one forward: read it, check who sends it, and have it on disk before the answer."""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from zoneinfo import ZoneInfo

from app.domain.messages import InboundMessage, sort_problems
from app.flows.admit import Gate
from app.flows.notices import Notices
from app.provider.forwarding import parse, read_request
from app.storage.intake import Intake

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Receipt(Enum):
    """What became of a forward: durable, or turned away because of who sent it."""

    KEPT = "kept"
    TURNED_AWAY = "turned-away"


class Receiver:
    """The receive flow, with all that it needs held ready."""

    def __init__(
        self,
        gate: Gate,
        intake: Intake,
        *,
        forwarders: Sequence[Network] | None,
        zone: ZoneInfo,
        notices: Notices,
        now: Callable[[], datetime],
        make_nonce: Callable[[], bytes],
    ) -> None:
        """`forwarders` None admits every address."""
        self._gate = gate
        self._intake = intake
        self._forwarders = forwarders
        self._zone = zone
        self._notices = notices
        self._now = now
        self._make_nonce = make_nonce

    async def receive(
        self, method: str, query: bytes, content_type: bytes, body: bytes, address: str
    ) -> Receipt:
        """Returns KEPT only once the message is on disk.

        Raises Unavailable where an unknown `auth` cannot be looked up, NothingDurable where nothing
        can be written.
        """
        request = read_request(method, query, content_type, body)
        message = parse(
            request.raw, zone=self._zone, arrived_at=self._now(), nonce=self._make_nonce()
        )
        if not self._is_forwarder(address):
            self._notices.on_turned_away(address, message.dest, "forwarder")
            return Receipt.TURNED_AWAY
        value = self._gate.find(request.auth, message.dest)
        if value is None:
            value = await self._gate.look_up(request.auth, message.dest)
        if value is None:
            reason = "wrong-auth" if request.auth else "missing-auth"
            self._notices.on_turned_away(address, message.dest, reason)
            return Receipt.TURNED_AWAY
        if self._gate.admission.is_unknown_number(message.dest):
            message = _add_problem(message, "unknown-number")
        await self._intake.keep(message)
        self._notices.on_admitted(value.id)
        return Receipt.KEPT

    def _is_forwarder(self, address: str) -> bool:
        if self._forwarders is None:
            return True
        try:
            caller = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(caller in network for network in self._forwarders)


def _add_problem(message: InboundMessage, code: str) -> InboundMessage:
    return replace(message, problems=sort_problems([*message.problems, code]))
