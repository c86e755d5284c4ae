"""Every kind of alert: how bad it is, how long it stays open, and what to do about it.

docs/reference/alerts.md, the page /alerts/help and the REST interface all show this table.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from app.domain.operations import runbooks

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

HELP_PATH = "/alerts/help"

MEANINGS: dict[Severity, str] = {
    "critical": "Texts are lost, held up or not answered, or soon will be. Act now.",
    "warning": "Something is wrong that does not stop the service. Look at it today.",
    "info": "Someone decided this. The alert is a reminder.",
}


@dataclass(frozen=True, slots=True)
class AlertKind:
    """`open_while` completes "Open while …"; `runbook` is a paragraph of plain text."""

    name: str
    severity: Severity
    open_while: str
    runbook: str


def find_kind(name: str) -> AlertKind:
    """The kind of that name; a warning without advice for one of another release."""
    return KINDS.get(name) or AlertKind(name, "warning", "", "")


def make_runbook_path(name: str) -> str:
    """Where the pages explain this kind, below PUBLIC_URL."""
    return f"{HELP_PATH}#{name}"


_BY_SEVERITY: dict[Severity, dict[str, runbooks.Entry]] = {
    "critical": runbooks.CRITICAL,
    "warning": runbooks.WARNING,
    "info": runbooks.INFO,
}

# Worst first, then by name.
KINDS: dict[str, AlertKind] = {
    name: AlertKind(name, severity, *found)
    for severity, kinds in _BY_SEVERITY.items()
    for name, found in sorted(kinds.items())
}
