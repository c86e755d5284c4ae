"""The errors that Letterbox raises on purpose, in one tree.

LetterboxError                 its text is one line that says what to do
├── SettingsError              a setting is missing or wrong; stops the start
├── SetupError                 the machine, a folder or the database does not suit; stops the start
├── InvalidInput               the caller's words are off; `field` names which
│   └── InvalidCursor          a cursor that is damaged or of another query
├── NotFound                   no such thing, or no longer
├── AccessDenied               the caller may not do this
│   ├── UnknownKey             no key, or none that is valid
│   └── MissingScope           a valid key without the scope that this needs
├── Conflict                   the thing exists already or is not in a state for this
└── Unavailable                cannot be done now, later perhaps
    └── NothingDurable         neither database nor spool can keep a message
"""


class LetterboxError(Exception):
    """Base of all: the text is shown to people as it stands."""


class SettingsError(LetterboxError):
    """A setting is missing or wrong."""


class SetupError(LetterboxError):
    """The machine, the data folder or the database does not suit."""


class InvalidInput(LetterboxError):
    """The caller's words are off."""

    def __init__(self, text: str, *, field: str | None = None) -> None:
        super().__init__(text)
        self.field = field


class InvalidCursor(InvalidInput):
    """A cursor that is damaged, or that another query gave."""


class NotFound(LetterboxError):
    """No such thing, or no longer."""


class AccessDenied(LetterboxError):
    """The caller may not do this."""


class UnknownKey(AccessDenied):
    """No key, or none that is valid."""


class MissingScope(AccessDenied):
    """A valid key without the scope that this needs."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"this needs a key with the scope {scope}")
        self.scope = scope


class Conflict(LetterboxError):
    """The thing exists already, or is not in a state for this."""


class Unavailable(LetterboxError):
    """Cannot be done now; later perhaps."""


class NothingDurable(Unavailable):
    """Neither the database nor the spool can keep a message: the provider must be told 503."""
