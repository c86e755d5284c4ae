"""Adds, changes, tests and removes the addresses of notifications; each change is audited."""

from datetime import datetime

from app.domain.access.sealing import Sealer
from app.domain.errors import Conflict
from app.domain.lengths import check_length
from app.domain.operations.notify_addresses import (
    LONGEST_NAME,
    Wishes,
    check_wishes,
    describe_wishes,
    mask_address,
    read_address,
)
from app.flows.operations.notifications.notify import FAILING
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection
from app.storage.operations import notify_addresses
from app.storage.operations.alerts import close_alert
from app.storage.operations.notify_addresses import NotifyAddress, get_address

CONFIGURED = "this address stands in LETTERBOX_NOTIFY: change it there, and restart the service"


def add_address(
    conn: Connection,
    sealer: Sealer,
    address: str,
    name: str,
    wishes: Wishes,
    *,
    who: str,
    now: datetime,
    is_tested: bool = True,
) -> NotifyAddress:
    """Raises InvalidInput, and Conflict where it is known already; neither repeats the address.

    With `is_tested` a worker sends a test message at once.
    """
    text = read_address(address)
    check_length("name", name, LONGEST_NAME)
    check_wishes(wishes)
    made = notify_addresses.add_address(
        conn,
        mask_address(text, name),
        sealer.digest(text),
        wishes,
        now,
        sealed=sealer.seal(text),
    )
    if is_tested:
        notify_addresses.request_test(conn, made.id)
    _note(conn, "notify.add", made, who, now, gets=describe_wishes(wishes))
    return made


def change_wishes(
    conn: Connection, address_id: int, wishes: Wishes, *, who: str, now: datetime
) -> None:
    """Raises InvalidInput, NotFound, and Conflict for one from NOTIFY."""
    check_wishes(wishes)
    address = get_own(conn, address_id)
    notify_addresses.change_wishes(conn, address_id, wishes, now)
    _note(conn, "notify.change", address, who, now, gets=describe_wishes(wishes))


def enable_address(conn: Connection, address_id: int, *, who: str, now: datetime) -> None:
    """What happened while it was disabled is not sent. Raises NotFound, Conflict."""
    address = get_own(conn, address_id)
    notify_addresses.enable_address(conn, address_id, now)
    _note(conn, "notify.enable", address, who, now)


def disable_address(conn: Connection, address_id: int, *, who: str, now: datetime) -> None:
    """Raises NotFound, Conflict."""
    address = get_own(conn, address_id)
    notify_addresses.disable_address(conn, address_id)
    _note(conn, "notify.disable", address, who, now)
    close_alert(conn, FAILING, address.subject, now=now)


def remove_address(conn: Connection, address_id: int, *, who: str, now: datetime) -> NotifyAddress:
    """Raises NotFound, Conflict."""
    address = get_own(conn, address_id)
    notify_addresses.remove_address(conn, address_id)
    _note(conn, "notify.remove", address, who, now)
    close_alert(conn, FAILING, address.subject, now=now)
    return address


def request_test(conn: Connection, address_id: int, *, who: str, now: datetime) -> NotifyAddress:
    """Have a worker send a test message. Raises NotFound, and Conflict while it is disabled."""
    address = get_address(conn, address_id)
    if not address.is_enabled:
        raise Conflict("this address is disabled: enable it first")
    notify_addresses.request_test(conn, address_id)
    _note(conn, "notify.test", address, who, now)
    return address


def note_tested(
    conn: Connection, address: NotifyAddress, error: str, *, who: str, now: datetime
) -> None:
    """A test that the command line has sent itself."""
    if error:
        notify_addresses.note_failed(conn, address.id, error)
    else:
        notify_addresses.note_tested(conn, address.id)
        close_alert(conn, FAILING, address.subject, now=now)
    _note(conn, "notify.test", address, who, now)


def get_own(conn: Connection, address_id: int) -> NotifyAddress:
    """One that can be changed here. Raises NotFound, and Conflict for one from NOTIFY."""
    address = get_address(conn, address_id)
    if address.source == "settings":
        raise Conflict(CONFIGURED)
    return address


def _note(
    conn: Connection,
    action: str,
    address: NotifyAddress,
    who: str,
    now: datetime,
    **detail: str,
) -> None:
    add_audit(conn, who, action, address.subject, detail, now)
