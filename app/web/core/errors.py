"""How the pages tell of errors: which HTTP code, and the words on top of the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from app.domain import errors


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of error page. `advice` is what somebody may do besides what the error says."""

    status: HTTPStatus
    title: str
    advice: str = ""


NOT_FOUND = Trouble(HTTPStatus.NOT_FOUND, "Page not found")
FORBIDDEN = Trouble(HTTPStatus.FORBIDDEN, "Not allowed")
WRONG_METHOD = Trouble(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed")
TOO_LARGE = Trouble(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too large")
UNREADABLE = Trouble(HTTPStatus.BAD_REQUEST, "Bad request")
INTERNAL = Trouble(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Letterbox failed",
    "The log has the details. Texts are still received; only this page failed.",
)
AWAY = Trouble(
    HTTPStatus.BAD_GATEWAY,
    "The provider cannot be reached",
    "Texts are still received, and outgoing texts stay queued. Try again in a minute.",
)

TROUBLES: Mapping[type[Exception], Trouble] = {
    errors.NotFound: NOT_FOUND,
    errors.AccessDenied: FORBIDDEN,
    errors.InvalidInput: Trouble(HTTPStatus.UNPROCESSABLE_ENTITY, "Check what you entered"),
    errors.Conflict: Trouble(HTTPStatus.CONFLICT, "This cannot be done now"),
    errors.Unavailable: Trouble(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Not available now",
        "Texts that arrive in the meantime are kept. Try again in a moment.",
    ),
    errors.NoProvider: Trouble(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "No provider account is set up",
        "Find the token in NetMessenger's settings.",
    ),
    errors.Unreachable: AWAY,
    errors.TurnedAway: AWAY,
    errors.TooManyCalls: AWAY,
    errors.MaintenanceError: AWAY,
    errors.AccountError: Trouble(
        HTTPStatus.BAD_GATEWAY,
        "There is a problem with the provider account",
        "Fix it in NetMessenger. Texts are still received.",
    ),
    errors.ProviderError: Trouble(
        HTTPStatus.BAD_GATEWAY,
        "The provider refused the request",
        "Texts are still received. Try again later, or check the provider's own page.",
    ),
}

# What the framework raises by itself.
BY_STATUS: Mapping[int, Trouble] = {
    400: UNREADABLE,
    404: NOT_FOUND,
    405: WRONG_METHOD,
    413: TOO_LARGE,
}
DETAILS = {
    NOT_FOUND: "Check the address. What it showed may have been deleted.",
    TOO_LARGE: "The form or file is larger than this page accepts.",
    UNREADABLE: "The form did not arrive complete. Go back and send it again.",
    WRONG_METHOD: "Go back and use the buttons on the page.",
}


def find_trouble(error: Exception) -> Trouble | None:
    """The page that tells of an error; None for one that nobody foresaw."""
    return next((TROUBLES[each] for each in type(error).__mro__ if each in TROUBLES), None)
