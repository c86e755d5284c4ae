"""The menu."""

from typing import NamedTuple


class Section(NamedTuple):
    """An entry of the menu; the addresses of its pages begin with `path`."""

    path: str
    label: str


SECTIONS = (
    Section("/", "Inbox"),
    Section("/new", "New message"),
    Section("/outbox", "Outbox"),
    Section("/rules", "Rules"),
    Section("/overview", "Overview"),
    Section("/numbers", "Numbers"),
    Section("/opt-outs", "Opt-outs"),
    Section("/contacts", "Contacts"),
    Section("/groups", "Groups"),
    Section("/reports", "Reports"),
    Section("/alerts", "Alerts"),
    Section("/refusals", "Rejected requests"),
    Section("/keys", "API keys"),
    Section("/audit", "Audit trail"),
)
