"""Checks the account's credits, which also shows whether account and provider work."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from app.domain.outbound.send_outcomes import LOOK_FIRST, StopCause
from app.domain.provider_errors import (
    AccountError,
    CallBroken,
    CodeError,
    EmptyAnswer,
    HtmlAnswer,
    PermanentError,
    ProviderError,
    StatusAnswer,
    TooManyCalls,
    TurnedAway,
    Unreachable,
    UnreadableAnswer,
)
from app.flows.operations.processes.leader import take_turn
from app.flows.operations.processes.metrics import Metrics
from app.provider.client import ProviderClient
from app.storage.db.database import Connection, Database
from app.storage.operations.leases import find_last_success
from app.storage.outbound.sending.sender import (
    let_one_try,
    lock_sender,
    note_credits,
    resume_sender,
    stop_sender,
    tell_stopped,
    tell_works,
)

LEASE = "credits"
EVERY = timedelta(minutes=10)
# The API writes no balance as JSON, but other services' JSON contains digits as well.
_JSON = re.compile(r"answered ['\"][\[{]")

log = structlog.get_logger("letterbox.credits")


@dataclass
class CreditMonitor:
    """One a process; an alert is open while there are fewer credits than `low_below`."""

    database: Database
    client: ProviderClient
    low_below: Decimal
    metrics: Metrics
    on_change: Callable[[], None]
    now: Callable[[], datetime]

    async def look_if_due(self) -> None:
        """Look, where nobody has for a while. Raises Unavailable."""
        last = await self.database.read(find_last_success, LEASE)
        if last is not None and self.now() < last + EVERY:
            return
        async with take_turn(self.database, LEASE, now=self.now) as is_mine:
            if is_mine:
                await self.look()

    async def probe(self) -> bool:
        """Check the credits and resume sending if they are answered; returns whether a text may go
        now.

        For when sending has stopped and there is no text to try with, or none should be risked.
        Raises Unavailable.
        """
        return await self.look(resumes=True)

    async def look(self, *, resumes: bool = False) -> bool:
        """Record the balance, or what the failure says about the account and the provider.

        Returns whether a text may go now. Raises Unavailable.
        """
        self.metrics.calls.labels("credits").inc()
        try:
            balance = await self.client.check_credits()
        except ProviderError as error:
            log.info("credits_unknown", error=str(error))
            may_go = await self.database.write(self._note_failure, error)
        else:
            may_go = await self.database.write(self._note, balance, resumes=resumes)
        self.on_change()
        return may_go

    def _note(self, conn: Connection, balance: Decimal, *, resumes: bool) -> bool:
        now = self.now()
        state, _ = lock_sender(conn)
        tries = state.state == "stopped" and state.cause in LOOK_FIRST
        if tries:
            let_one_try(conn, now)
        is_enough = balance > 0 or state.cause != StopCause.ACCOUNT
        resumed = not tries and resumes and is_enough
        resumed = resumed and resume_sender(conn, "sender", now, only_stopped=True)
        note_credits(conn, balance, low_below=self.low_below, now=now)
        if resumed:
            tell_works(conn, now)
        return tries or resumed

    def _note_failure(self, conn: Connection, error: ProviderError) -> bool:
        now = self.now()
        state, _ = lock_sender(conn)
        looks_first = state.state == "stopped" and state.cause in LOOK_FIRST
        if looks_first and is_of_the_api(error):
            let_one_try(conn, now)
            return True
        cause = find_cause(error, is_running=state.state == "running")
        if cause is not None:
            asked = error.retry_after_seconds if isinstance(error, TooManyCalls) else None
            is_probe = state.state == "stopped" and state.cause != StopCause.ACCOUNT
            stop_sender(conn, str(error), now, cause, is_probe=is_probe, asked_seconds=asked)
            tell_stopped(conn, now)
        return False


def find_cause(error: ProviderError, *, is_running: bool) -> StopCause | None:
    """Why sending must stop if a credit check fails like this; None if it need not."""
    if isinstance(error, AccountError):
        return StopCause.ACCOUNT
    if isinstance(error, TooManyCalls):
        return StopCause.TOO_MANY_CALLS
    if isinstance(error, TurnedAway):
        return StopCause.CONFIGURATION
    if isinstance(error, CodeError):
        return None
    if isinstance(error, Unreachable):
        return StopCause.UNREACHABLE
    if is_running and not isinstance(error, HtmlAnswer):
        # This one action may be slow or broken while texts are accepted.
        return None
    is_broken = isinstance(error, CallBroken | StatusAnswer)
    return StopCause.UNREACHABLE if is_broken else StopCause.CONFIGURATION


def is_of_the_api(error: ProviderError) -> bool:
    """Probably still an answer of the API: a code, or a balance in an unknown form."""
    is_plain = isinstance(error, UnreadableAnswer) and not isinstance(
        error, StatusAnswer | HtmlAnswer | EmptyAnswer
    )
    words = str(error)
    is_balance = is_plain and any(map(str.isdigit, words)) and _JSON.search(words) is None
    return isinstance(error, PermanentError) or is_balance
