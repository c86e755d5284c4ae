"""The menu."""

from collections.abc import Sequence
from typing import NamedTuple

from app.web.core.roles import find_role


class Section(NamedTuple):
    """An entry of the menu; the addresses of its pages begin with `path`."""

    path: str
    label: str


class Group(NamedTuple):
    """Entries that belong together."""

    label: str
    sections: Sequence[Section]


MENU = (
    Group(
        "Office",
        (
            Section("/", "Inbox"),
            Section("/new", "New message"),
            Section("/people", "People"),
            Section("/batches", "Batches"),
            Section("/scheduled", "Scheduled"),
            Section("/outbox", "Outbox"),
            Section("/saved-replies", "Saved replies"),
            Section("/opt-outs", "Opt-outs"),
        ),
    ),
    Group(
        "Running Letterbox",
        (
            Section("/overview", "Overview"),
            Section("/alerts", "Alerts"),
            Section("/notifications", "Notifications"),
            Section("/rules", "Rules"),
            Section("/numbers", "Numbers"),
            Section("/contacts", "Contacts"),
            Section("/groups", "Groups"),
            Section("/reports", "Reports"),
            Section("/refusals", "Rejected requests"),
            Section("/webhooks", "Webhooks"),
            Section("/members", "Members"),
            Section("/keys", "API keys"),
            Section("/erasures", "Erasures"),
            Section("/audit", "Audit trail"),
        ),
    ),
)


def list_groups(*, is_admin: bool) -> list[Group]:
    """The menu without what the person may not use, and without groups that this leaves empty."""
    groups = []
    for label, sections in MENU:
        usable = [each for each in sections if is_admin or find_role(each.path) == "office"]
        if usable:
            groups.append(Group(label, usable))
    return groups
