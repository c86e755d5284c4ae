"""How processes log: one line per event on stderr, without secrets, parameters or locals."""

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

_QUIET = (
    "uvicorn.access",
    "asyncio",
    "alembic",
    "sse_starlette",
    "httpx2",
    "httpcore2",
    # Apprise and what it uses would log addresses, which hold secrets.
    "apprise",
    "requests_oauthlib",
    "oauthlib",
    "urllib3",
)


def configure_logging(
    log_format: Literal["console", "json"], level: str, stream: TextIO = sys.stderr
) -> None:
    """Set up structlog, and Python's logging for the libraries, in the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _cut_details,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its start and stop lines say nothing that ours do not.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.root.level))


def _cut_details(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """PostgreSQL's DETAIL lines quote rows."""
    for key in ("exception", "error", "event", "reason"):
        text = event.get(key)
        if isinstance(text, str) and "DETAIL:" in text:
            lines = text.splitlines()
            event[key] = "\n".join(line for line in lines if "DETAIL:" not in line)
    return event
