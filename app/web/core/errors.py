"""The pages for errors: which HTTP status, and what they say."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException

from app.domain import errors, provider_errors

log = structlog.get_logger("letterbox.web")


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """`advice` is what to do, besides what the error itself says."""

    status: HTTPStatus
    title: str
    advice: str = ""


NOT_FOUND = ErrorPage(HTTPStatus.NOT_FOUND, "Page not found")
FORBIDDEN = ErrorPage(HTTPStatus.FORBIDDEN, "Not allowed")
WRONG_METHOD = ErrorPage(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed")
TOO_LARGE = ErrorPage(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too large")
UNREADABLE = ErrorPage(HTTPStatus.BAD_REQUEST, "Bad request")
INTERNAL = ErrorPage(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Letterbox failed",
    "The log has the details. Texts are still received; only this page failed.",
)
AWAY = ErrorPage(
    HTTPStatus.BAD_GATEWAY,
    "The provider cannot be reached",
    "Texts are still received, and outgoing texts stay queued. Try again in a minute.",
)

ERROR_PAGES: Mapping[type[Exception], ErrorPage] = {
    errors.NotFound: NOT_FOUND,
    errors.AccessDenied: FORBIDDEN,
    errors.MissingRole: ErrorPage(
        HTTPStatus.FORBIDDEN, "For admins", "Ask an admin to do it for you, or to change your role."
    ),
    errors.InvalidInput: ErrorPage(HTTPStatus.UNPROCESSABLE_ENTITY, "Check what you entered"),
    errors.Conflict: ErrorPage(HTTPStatus.CONFLICT, "This cannot be done now"),
    errors.Unavailable: ErrorPage(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Not available now",
        "Texts that arrive in the meantime are kept. Try again in a moment.",
    ),
    errors.NoProvider: ErrorPage(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "No provider account is set up",
        "Find the token in NetMessenger's settings.",
    ),
    provider_errors.Unreachable: AWAY,
    provider_errors.TurnedAway: AWAY,
    provider_errors.TooManyCalls: AWAY,
    provider_errors.MaintenanceError: AWAY,
    provider_errors.AccountError: ErrorPage(
        HTTPStatus.BAD_GATEWAY,
        "There is a problem with the provider account",
        "Fix it in NetMessenger. Texts are still received.",
    ),
    provider_errors.ProviderError: ErrorPage(
        HTTPStatus.BAD_GATEWAY,
        "The provider refused the request",
        "Texts are still received. Try again later, or check the provider's own page.",
    ),
}

# What the framework raises.
BY_STATUS: Mapping[int, ErrorPage] = {
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


def describe_error(error: Exception) -> tuple[ErrorPage, str]:
    """The page of an error, and what it says of this one."""
    if isinstance(error, HTTPException):
        page = BY_STATUS.get(error.status_code, INTERNAL)
        return page, DETAILS.get(page, str(error.detail))
    found = _find_error_page(error)
    if found is None:
        log.error("page_failed", exc_info=error)
        return INTERNAL, "An unexpected error; it has been logged."
    if isinstance(error, errors.DatabaseAway):
        log.warning("database_away", error=str(error))
        return found, error.public
    return found, str(error)


def _find_error_page(error: Exception) -> ErrorPage | None:
    """The page for an error; None for an unexpected one."""
    return next((ERROR_PAGES[each] for each in type(error).__mro__ if each in ERROR_PAGES), None)
