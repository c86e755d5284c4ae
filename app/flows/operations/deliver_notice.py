"""Hands a notice to Apprise, in a thread, for so long and no longer."""

import asyncio
import contextlib
import logging
import threading
from dataclasses import dataclass, field
from functools import cache
from typing import Self

from app.domain.operations.notices import Notice
from app.domain.operations.notify_addresses import scrub

TOTAL_SECONDS = 20.0
LONGEST_ERROR = 300
UNKNOWN = "Apprise knows no service for this address: see its list at github.com/caronc/apprise"
REFUSED = "the service did not take it, and Apprise does not say why"


@dataclass
class Deliverer:
    """One per process. `seconds` is how long one delivery may take in all.

    A thread that hangs cannot be ended: it is left alone, and its address gets no second one.
    """

    seconds: float = TOTAL_SECONDS
    _threads: dict[int, threading.Thread] = field(default_factory=dict)

    async def deliver(self, address_id: int, address: str, notice: Notice) -> str:
        """Send it; returns what went wrong, without secrets, or ""."""
        running = self._threads.get(address_id)
        if running is not None and running.is_alive():
            return "an earlier message is still on its way: the service does not answer"
        # Not part of the time: a busy machine may need longer for it than a server to answer.
        await asyncio.to_thread(load_apprise)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def finish(error: str) -> None:
            if not done.done():
                done.set_result(error)

        def work() -> None:
            error = call_apprise(address, notice)
            # The process may have ended its loop meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, error)

        # Not the loop's pool: its threads would be waited for at the end.
        thread = threading.Thread(target=work, name=f"notify-{address_id}", daemon=True)
        self._threads[address_id] = thread
        thread.start()
        try:
            async with asyncio.timeout(self.seconds):
                return await done
        except TimeoutError:
            return f"no answer within {self.seconds:g} seconds"


@cache
def load_apprise() -> None:
    """Import it with its services, which takes half a second and 40 MB that few need."""
    from apprise import Apprise  # noqa: PLC0415 see above

    # It also knows our log; at the level debug it writes whole addresses.
    logging.getLogger("apprise").propagate = False
    Apprise.instantiate("json://localhost")


def call_apprise(address: str, notice: Notice) -> str:
    """Send it now, in this thread; returns what went wrong, without secrets, or ""."""
    try:
        error = _call(address, notice)
    except Exception as failure:  # noqa: BLE001 the services' plugins may raise anything
        error = f"Apprise failed: {type(failure).__name__}: {failure}"
    return scrub(error, address)[:LONGEST_ERROR]


def _call(address: str, notice: Notice) -> str:
    from apprise import Apprise, AppriseAsset, NotifyType  # noqa: PLC0415 see load_apprise

    asset = AppriseAsset(app_id="Letterbox", app_desc="Letterbox", app_url="")
    with _Warnings() as warnings:
        target = Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
        is_sent = target and target.notify(
            title=notice.title, body=notice.body, notify_type=NotifyType(notice.tone)
        )
    if is_sent:
        return ""
    return "; ".join(dict.fromkeys(warnings.lines)) or (REFUSED if target else UNKNOWN)


class _Warnings(logging.Handler):
    """What Apprise warns of in this thread, kept from our log because it may hold secrets."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()
        self._logger = logging.getLogger("apprise")

    def __enter__(self) -> Self:
        self._logger.setLevel(logging.WARNING)
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())
