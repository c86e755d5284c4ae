"""The sections of the pages, in the order in which the menu lists them."""

from typing import NamedTuple


class Section(NamedTuple):
    """One entry of the menu; `path` begins the addresses of all its pages."""

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
