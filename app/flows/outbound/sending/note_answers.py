"""Counts every answer of the provider, and stops sending if the account fails."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

import structlog

from app.domain.errors import Unavailable
from app.domain.provider_errors import (
    AccountError,
    CallBroken,
    CodeError,
    EmptyAnswer,
    HtmlAnswer,
    MissingColumns,
    ProviderError,
    StatusAnswer,
    Unreachable,
)
from app.flows.operations.processes.metrics import Metrics
from app.storage.db.database import Connection, Database
from app.storage.outbound.sending.sender import stop_sender, tell_stopped

# The result of a send is recorded with its text.
SEND = "Send"
# Their account errors may be about the child user.
OF_USERS = frozenset({"CreateUser", "UpdateCredits"})
WRONG_TOKEN = -501
# Many calls may fail alike: recording it this often is enough.
EVERY_SECONDS = 10.0

_OUTCOMES: tuple[tuple[type[ProviderError], str], ...] = (
    (Unreachable, "unreachable"),
    (CallBroken, "broken"),
    (HtmlAnswer, "html"),
    (EmptyAnswer, "empty"),
    (MissingColumns, "columns"),
)

log = structlog.get_logger("letterbox.account")


class AnswerNotes:
    """One per process, called by its client. `on_change` is called after sending has stopped."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        *,
        on_change: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._on_change = on_change
        self._now = now
        self._task: asyncio.Task[None] | None = None
        self._noted_at = float("-inf")

    def __call__(self, action: str, error: ProviderError | None) -> None:
        self._metrics.answers.labels(action, name_outcome(error)).inc()
        if error is None or not is_about_account(action, error):
            return
        seconds = asyncio.get_running_loop().time()
        if seconds - self._noted_at >= EVERY_SECONDS:
            self._noted_at = seconds
            self._task = asyncio.create_task(self._stop_sending(str(error)))

    async def _stop_sending(self, reason: str) -> None:
        try:
            await self._database.write(_stop, reason, self._now())
        except Unavailable as error:
            log.info("account_error_not_noted", reason=reason, error=str(error))
        else:
            self._on_change()

    async def close(self) -> None:
        """Wait for the writes in progress."""
        if self._task is not None:
            with contextlib.suppress(Exception):
                await self._task


def _stop(conn: Connection, reason: str, now: datetime) -> None:
    stop_sender(conn, reason, now)
    tell_stopped(conn, now)


def is_about_account(action: str, error: ProviderError) -> bool:
    """Whether no text would be accepted either. Answers to sends are handled elsewhere."""
    if not isinstance(error, AccountError) or action == SEND:
        return False
    return action not in OF_USERS or error.code == WRONG_TOKEN


def name_outcome(error: ProviderError | None) -> str:
    """The result as a short label: `ok`, an error code, `http-503`, `unreachable`, …"""
    if error is None:
        return "ok"
    if isinstance(error, CodeError):
        return str(error.code)
    if isinstance(error, StatusAnswer):
        return f"http-{error.status}"
    return next((name for kind, name in _OUTCOMES if isinstance(error, kind)), "unreadable")
