"""Checks each action's arguments and makes the form that the provider's page asks for."""

import csv
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from io import StringIO
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput
from app.domain.outbound.requests import OutgoingText
from app.provider.actions import Named, NewContact, NewUser
from app.provider.limits import (
    check_amount,
    check_contacts,
    check_name,
    check_numbers,
    check_text,
    check_user,
    check_word,
)
from app.provider.times import format_schedule, format_window
from app.provider.wire import Form

# The documentation does not name these two actions: the likeliest name is tried first, the others
# if the provider does not know it.
CANCEL_ACTIONS = ("CancelMessage", "Cancel")
# The first was seen in a commented-out call of one of the provider's clients.
BACKGROUND_MESSAGES_ACTIONS = ("GetBGMessages", "GetBGSendMessages", "BGMessages", "GetBGSend")
# Named in the page's parameter table only.
GET_CONTACTS_ACTION = "GetAllContacts"
GET_GROUPS_ACTION = "GetAllGroups"

# The page: From and To are ignored for this report.
DATELESS_REPORT = "outbox"

Pairs = tuple[tuple[str, str], ...]


def form_balance() -> Form:
    return Form("CheckCredits")


def form_status(message_id: str) -> Form:
    check_word(message_id, "message_id")
    return Form("CheckMessageStatus", (("MessageID", message_id),))


def form_send(text: OutgoingText, numbers: Sequence[str], zone: ZoneInfo) -> Form:
    """ShowErrorMessage is left out for many numbers: its lines would mix with the answers."""
    check_numbers(numbers)
    to = ("DestinationAddress", ",".join(numbers))
    pairs = (to, *_text_pairs(text, zone), ("GetAllMessageIDs", "1"))
    return Form("Send", pairs, shows_errors=len(numbers) == 1)


def form_send_to_named(text: OutgoingText, kind: Named, name: str, zone: ZoneInfo) -> Form:
    check_name(name, kind)
    word = kind.title()
    to = (("DestinationAddress", word), (f"{word}Name", name))
    return Form("Send", (*to, *_text_pairs(text, zone), ("GetBGSendID", "1")))


def _text_pairs(text: OutgoingText, zone: ZoneInfo) -> Pairs:
    check_text(text)
    pairs = [("SourceAddress", text.source), ("Body", text.body)]
    if text.schedule_at is not None:
        pairs.append(("ScheduleDate", format_schedule(text.schedule_at, zone)))
    if text.source_ton is not None:
        pairs.append(("SourceTON", str(int(text.source_ton))))
    # The page does not call it optional, so it is always there.
    pairs.append(("ValidityPeriod", str(text.validity_seconds)))
    return tuple(pairs)


def form_cancel(message_id: str, action: str) -> Form:
    check_word(message_id, "message_id")
    return Form(action, (("MessageID", message_id),))


def form_report(
    report_type: str, since: datetime | None, until: datetime | None, zone: ZoneInfo
) -> Form:
    """Any type is allowed: accounts have more than the page lists. Only Outbox needs no dates."""
    check_word(report_type, "report_type")
    pairs: Pairs = (("ReportType", report_type),)
    if since is not None and until is not None:
        begin, end = format_window(since, until, zone)
        return Form("Report", (*pairs, ("From", begin), ("To", end)))
    if since is None and until is None and report_type.lower() == DATELESS_REPORT:
        return Form("Report", pairs)
    raise InvalidInput(
        f"The report {report_type} needs both since and until",
        field="since" if since is None else "until",
    )


def form_create_user(user: NewUser) -> Form:
    check_user(user)
    pairs = [
        ("ChildUsername", user.username),
        ("ChildPassword", user.password),
        ("AccessLevel", user.access_level.value),
        ("FirstName", user.first_name),
        ("LastName", user.last_name),
        ("Email", user.email),
    ]
    if user.telephone:
        pairs.append(("Telephone", user.telephone))
    pairs.append(("Credits", f"{user.credits:f}"))
    if user.credit_reminder is not None:
        pairs.append(("CreditReminder", str(user.credit_reminder)))
    if user.alert_days is not None:
        pairs.append(("Alert", str(user.alert_days)))
    return Form("CreateUser", tuple(pairs), secrets=(user.password,))


def form_update_credits(username: str, quantity: Decimal) -> Form:
    check_name(username, "username")
    check_amount(quantity, "quantity")
    if quantity == 0:
        raise InvalidInput("quantity is 0: nothing would move", field="quantity")
    return Form("UpdateCredits", (("ChildUsername", username), ("Quantity", f"{quantity:f}")))


def form_import_contacts(
    contacts: Sequence[NewContact], *, ignore_duplicates: bool, overwrite_duplicates: bool
) -> Form:
    """Lines end in `\\n`, the last one too, as the provider's own clients write them."""
    check_contacts(contacts)
    lines = StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for contact in contacts:
        writer.writerow((contact.name, contact.number, contact.email, *contact.groups))
    pairs = [("ContactsCSV", lines.getvalue())]
    if ignore_duplicates:
        pairs.append(("IgnoreDupes", "1"))
    if overwrite_duplicates:
        pairs.append(("OverwriteDupes", "1"))
    return Form("ImportContactsCSV", tuple(pairs))


def form_group(action: str, name: str) -> Form:
    """EmptyGroup and DeleteGroup take `Group`, unlike Send, as the provider's clients show."""
    check_name(name, "group")
    return Form(action, (("Group", name),))


def form_background_messages(background_id: str, action: str) -> Form:
    check_word(background_id, "background_id")
    return Form(action, (("BGSendID", background_id),))
