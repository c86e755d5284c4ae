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
    import apprise  # noqa: PLC0415 see load_apprise
    from apprise.conversion import convert_between  # noqa: PLC0415 as above

    asset = apprise.AppriseAsset(app_id="Letterbox", app_desc="Letterbox", app_url="")
    with _Warnings() as warnings:
        service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
        if not service:
            return "; ".join(warnings.lines) or UNKNOWN
        if "overflow=" not in address.lower():
            # Many services refuse what is too long, again and again; the worst stands first.
            service.overflow_mode = apprise.OverflowMode.TRUNCATE
        # Services that show HTML get it escaped. Apprise's own `notify` would do so as well, but in
        # a pool of threads, which a process waits for at its end.
        wanted = service.resolve_format(apprise.NotifyFormat.TEXT)
        title, body = (
            convert_between(apprise.NotifyFormat.TEXT, wanted, text)  # type: ignore[no-untyped-call]
            for text in (notice.title, notice.body)
        )
        is_sent = service.notify(
            body=body,
            # Only where it has no field of its own does a title become a part of the body.
            title=title if service.title_maxlen <= 0 else notice.title,
            notify_type=apprise.NotifyType(notice.tone),
            body_format=wanted,
        )
    return "" if is_sent else "; ".join(dict.fromkeys(warnings.lines)) or REFUSED


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
