"""What becomes of a call to the provider that fails, in one tree.

ProviderError                  a call failed; see its `error_class` and `outcome`
├── CodeError                  it answered one of its error codes: see `code`
│   ├── AccountError           no credits, a wrong token, suspended, no licence
│   ├── MaintenanceError       it is down for maintenance
│   ├── DailyLimitError        too many messages to this number today
│   ├── RefusedNumberError     the number is on the provider's blacklist
│   ├── PermanentError         anything that will not change by waiting
│   ├── AmbiguousError         it failed internally; the call may have been accepted
│   └── PartlyTakenError       some numbers were taken, some not
├── Unreachable                name, connection or TLS failed: nothing left here
│   └── TooManyReports         others are being read: one has to end first
├── CallBroken                 a timeout or a broken connection after the request left
└── UnreadableAnswer           the answer is not one of its API
    ├── StatusAnswer           another HTTP status than 200
    │   ├── TurnedAway         a web server or proxy refused the call before the API saw it
    │   └── TooManyCalls       429: call less often
    ├── HtmlAnswer             a web page, as proxies send it
    ├── EmptyAnswer            nothing at all
    ├── CountMismatch          the number of answers is wrong
    └── MissingColumns         a report without the columns that are needed
"""

from collections.abc import Callable
from typing import ClassVar

from app.domain.errors import LetterboxError
from app.domain.outbound.send_outcomes import OUTCOME_BY_CLASS, ErrorClass, SendOutcome


class ProviderError(LetterboxError):
    """A call to the provider failed; `error_class` says what kind, `outcome` if it was taken."""

    error_class: ClassVar[ErrorClass] = ErrorClass.AMBIGUOUS
    # Attributes that quote the provider.
    quotes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, text: str, *, outcome: SendOutcome | None = None) -> None:
        super().__init__(text)
        self.outcome = outcome or OUTCOME_BY_CLASS[self.error_class]

    def hide(self, hide: Callable[[str], str]) -> None:
        """Remove secrets from what the error quotes, because a provider may echo its request."""
        self.args = tuple(hide(str(arg)) for arg in self.args)
        for name in self.quotes:
            value = getattr(self, name)
            hidden = hide(value) if isinstance(value, str) else tuple(map(hide, value))
            setattr(self, name, hidden)


class CodeError(ProviderError):
    """The provider answered one of its error codes.

    `provider_text` is what it said itself, else its page's words; `details` are further lines.
    """

    quotes = ("provider_text", "details")

    def __init__(
        self,
        text: str,
        *,
        code: int,
        provider_text: str,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(text)
        self.code = code
        self.provider_text = provider_text
        self.details = details


class AccountError(CodeError):
    """The account cannot send: no credits, a wrong token, suspended, no licence."""

    error_class = ErrorClass.ACCOUNT


class MaintenanceError(CodeError):
    """The provider is down for maintenance."""

    error_class = ErrorClass.PASSING


class DailyLimitError(CodeError):
    """Too many messages to this number today."""

    error_class = ErrorClass.DAILY_LIMIT


class RefusedNumberError(CodeError):
    """The number is on the provider's blacklist."""

    error_class = ErrorClass.REFUSED_NUMBER


class PermanentError(CodeError):
    """Anything that does not change by waiting."""

    error_class = ErrorClass.PERMANENT


class AmbiguousError(CodeError):
    """The provider failed internally; the call may have been accepted."""

    error_class = ErrorClass.AMBIGUOUS


class PartlyTakenError(CodeError):
    """Some numbers were accepted, others not."""

    error_class = ErrorClass.PARTLY_TAKEN


class Unreachable(ProviderError):
    """The name, the connection or TLS failed: nothing was sent."""

    error_class = ErrorClass.PASSING

    def __init__(self, text: str) -> None:
        super().__init__(text, outcome=SendOutcome.NOT_TAKEN)


class TooManyReports(Unreachable):
    """The limit of reports read at once is reached: nothing was requested."""


class CallBroken(ProviderError):
    """A timeout or a broken connection after the request was sent."""


class UnreadableAnswer(ProviderError):
    """The answer is not one of the provider's API."""


class StatusAnswer(UnreadableAnswer):
    """An HTTP status other than 200."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class TurnedAway(StatusAnswer):
    """A web server or a proxy refused the call, so that the API never saw it."""

    error_class = ErrorClass.CONFIGURATION


class TooManyCalls(StatusAnswer):
    """HTTP status 429; `retry_after_seconds` is None if the answer does not say."""

    error_class = ErrorClass.TOO_MANY_CALLS

    def __init__(self, text: str, *, status: int, retry_after_seconds: float | None) -> None:
        super().__init__(text, status=status)
        self.retry_after_seconds = retry_after_seconds


class HtmlAnswer(UnreadableAnswer):
    """A web page, as proxies send it."""


class EmptyAnswer(UnreadableAnswer):
    """An empty answer."""


class CountMismatch(UnreadableAnswer):
    """Another count of answers than was asked for; `answers` are the ids and codes that came."""

    quotes = ("answers",)

    def __init__(
        self, text: str, *, answers: tuple[str, ...], outcome: SendOutcome | None = None
    ) -> None:
        super().__init__(text, outcome=outcome)
        self.answers = answers


class MissingColumns(UnreadableAnswer):
    """A report without the columns that are needed; `headings` are those that it has."""

    quotes = ("headings",)

    def __init__(self, text: str, *, headings: tuple[str, ...]) -> None:
        super().__init__(text)
        self.headings = headings
