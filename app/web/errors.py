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


NOT_FOUND = Trouble(HTTPStatus.NOT_FOUND, "There is nothing here")
FORBIDDEN = Trouble(HTTPStatus.FORBIDDEN, "This was refused")
WRONG_METHOD = Trouble(HTTPStatus.METHOD_NOT_ALLOWED, "This address takes no such request")
TOO_LARGE = Trouble(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too much at once")
UNREADABLE = Trouble(HTTPStatus.BAD_REQUEST, "The request cannot be read")
INTERNAL = Trouble(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Letterbox failed",
    "Its log says how. Texts are still received: this page alone could not be made.",
)
AWAY = Trouble(
    HTTPStatus.BAD_GATEWAY,
    "The provider cannot be reached now",
    "Receiving goes on, and texts that are to go out keep their places. Try again in a minute.",
)

TROUBLES: Mapping[type[Exception], Trouble] = {
    errors.NotFound: NOT_FOUND,
    errors.AccessDenied: FORBIDDEN,
    errors.InvalidInput: Trouble(HTTPStatus.UNPROCESSABLE_ENTITY, "Something is not right"),
    errors.Conflict: Trouble(HTTPStatus.CONFLICT, "This cannot be done as things are"),
    errors.Unavailable: Trouble(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Not available now",
        "Texts that arrive meanwhile are kept. Try again in a moment.",
    ),
    errors.NoProvider: Trouble(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "No provider's account is set up",
        "The token stands in NetMessenger's settings.",
    ),
    errors.Unreachable: AWAY,
    errors.TurnedAway: AWAY,
    errors.TooManyCalls: AWAY,
    errors.MaintenanceError: AWAY,
    errors.AccountError: Trouble(
        HTTPStatus.BAD_GATEWAY,
        "The provider's account is not in order",
        "Put it right in NetMessenger; receiving goes on meanwhile.",
    ),
    errors.ProviderError: Trouble(
        HTTPStatus.BAD_GATEWAY,
        "The provider did not do it",
        "Receiving goes on. Try again later, or look at the provider's own page.",
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
    NOT_FOUND: "No page has this address. It may have been mistyped, or what it showed is gone.",
    TOO_LARGE: "The form or file is larger than this page takes.",
    UNREADABLE: "The form did not arrive in one piece; go back and send it again.",
    WRONG_METHOD: "Go back and use the page's own buttons.",
}


def find_trouble(error: Exception) -> Trouble | None:
    """The page that tells of an error; None for one that nobody foresaw."""
    return next((TROUBLES[each] for each in type(error).__mro__ if each in TROUBLES), None)
