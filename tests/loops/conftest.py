"""How quickly the loops look for themselves."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.loops.working import PATIENCE_SECONDS


@pytest.fixture
def slow_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not woken sleeps for longer than a test waits."""
    monkeypatch.setattr("app.loops.pace.POLL_SECONDS", 3 * PATIENCE_SECONDS)


@pytest.fixture
def quick_chores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.loops.following.CHORES_SECONDS", 0.05)
    monkeypatch.setattr("app.loops.pace.POLL_SECONDS", 0.05)


@pytest.fixture
def quiet_log() -> Iterator[None]:
    """Unconfigured, it paints each traceback with all locals, which holds the loops up."""
    with capture_logs():
        yield
