"""What the provider's actions take and return, as types."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Generic, Literal, TypeVar

from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.statuses import ProviderStatus
from app.domain.provider_errors import CodeError, ProviderError

Row = TypeVar("Row")

# What a text to a name can go to.
Named = Literal["list", "group"]


class AccessLevel(StrEnum):
    """What a child user may do."""

    NORMAL = "Normal"
    ADMIN = "Admin"


@dataclass(frozen=True, slots=True)
class NumberAnswer:
    """The result for one number of a call to many: ids, or an error."""

    number: str
    ids: tuple[str, ...]
    error: ProviderError | None

    @property
    def outcome(self) -> SendOutcome:
        return self.error.outcome if self.error else SendOutcome.TAKEN


@dataclass(frozen=True, slots=True)
class BackgroundSend:
    """A send to a list or group that the provider took.

    `ids` are the background sends to ask GetBGMessages about: empty where the provider answered
    only its plain `1`. `errors` are codes that stood among the ids.
    """

    ids: tuple[str, ...]
    errors: tuple[CodeError, ...] = ()


@dataclass(frozen=True, slots=True)
class BackgroundMessage:
    """One message of a background send."""

    message_id: str
    destination: str
    status: ProviderStatus


@dataclass(frozen=True, slots=True)
class NewUser:
    """A child user to create. `credits` are taken from the account.

    The provider sends an email when `credit_reminder` credits are left, and after `alert_days` days
    without activity.
    """

    username: str
    password: str = field(repr=False)
    access_level: AccessLevel
    first_name: str
    last_name: str
    email: str
    credits: Decimal
    telephone: str = ""
    credit_reminder: int | None = None
    alert_days: int | None = None


@dataclass(frozen=True, slots=True)
class NewContact:
    """A contact to import."""

    name: str
    number: str
    email: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedLine:
    """What became of one contact, counted from 1.

    `result` is as it came: Success, Partial, Failed, Duplicate Name, Duplicate Number, or one never
    seen before. `detail` is the reason, "" if there is none.
    """

    line: int
    result: str
    detail: str

    @property
    def is_success(self) -> bool:
        return self.result.lower() == "success"


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact of the address book.

    The columns are not documented: what no heading names is None (`groups`: empty), and `fields`
    has the row as it came.
    """

    name: str | None
    number: str | None
    email: str | None
    groups: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A contact group; `name` is None if no heading names it and the row has several fields."""

    name: str | None
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddressBook(Generic[Row]):
    """Contacts or groups; `headings` is None where the provider sent none."""

    headings: tuple[str, ...] | None
    rows: tuple[Row, ...]
