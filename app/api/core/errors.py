"""How errors are answered, as RFC 9457 problems: the only place that maps them to HTTP."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api.middleware.request_ids import find_request_id, find_root
from app.domain import errors
from app.provider.codes import (
    BACKGROUND_SEND_NOT_FINISHED,
    UNKNOWN_GROUP,
    UNKNOWN_MESSAGE,
    UNKNOWN_SEND,
    UNKNOWN_USER,
)

MEDIA_TYPE = "application/problem+json"
PROBLEMS_PATH = "/problems"
RETRY_AFTER_SECONDS = 5
PROVIDER_RETRY_SECONDS = 60
REALM = 'Bearer realm="letterbox"'

log = structlog.get_logger("letterbox.api")


@dataclass(frozen=True, slots=True, eq=False)
class ProblemKind:
    """`slug` ends the problem's `type`, which is stable for programs.

    `advice` is the text of the page at `type`: what to do.
    """

    status: HTTPStatus
    slug: str
    title: str
    advice: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return f"{PROBLEMS_PATH}/{self.slug}"


UNREADABLE = ProblemKind(
    HTTPStatus.BAD_REQUEST,
    "unreadable",
    "The request cannot be read",
    "Send valid JSON in UTF-8, each field of an object once. `detail` says where it is wrong.",
)
INVALID_INPUT = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid-input",
    "The request holds something wrong",
    "`errors` names each field or parameter that is wrong, with a code for programs. Correct them"
    " and send the request again; nothing was done.",
)
INVALID_CURSOR = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid-cursor",
    "The cursor does not fit the query",
    "A cursor belongs to one list with one set of filters. Begin again without it.",
)
UNAUTHORIZED = ProblemKind(
    HTTPStatus.UNAUTHORIZED,
    "unauthorized",
    "A valid key is needed",
    "Send `Authorization: Bearer <key>` with a key that has not been revoked.",
    {"WWW-Authenticate": REALM},
)
FORBIDDEN = ProblemKind(
    HTTPStatus.FORBIDDEN,
    "forbidden",
    "The key lacks a scope",
    "Use a key with the scope that `detail` names, or have it added to this key.",
)
NOT_NEAR = ProblemKind(
    HTTPStatus.FORBIDDEN,
    "not-a-monitor",
    "This address is not in MONITOR_NETWORKS",
    "Ask from a network in LETTERBOX_MONITOR_NETWORKS, or add yours to it.",
)
NOT_FOUND = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "not-found",
    "There is no such thing",
    "Check the path and the id, number or name in it; what it named may have been removed.",
)
CONFLICT = ProblemKind(
    HTTPStatus.CONFLICT,
    "conflict",
    "The state of things forbids it",
    "Read the resource again: it exists already, or is not in a state for this.",
)
CHANGED = ProblemKind(
    HTTPStatus.PRECONDITION_FAILED,
    "changed",
    "It has changed since it was read",
    "Somebody changed it in the meantime, so nothing was done. Read it again, apply your change to"
    " what it is now, and send that with its new ETag.",
)
REUSED_KEY = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency-key-reused",
    "The Idempotency-Key came with another request before",
    "Make a new key for each request, and repeat a request exactly as it was.",
)
IN_FLIGHT = ProblemKind(
    HTTPStatus.CONFLICT,
    "in-flight",
    "The first request with this Idempotency-Key is not done yet",
    "Repeat the request after a moment: it then gets the first one's answer.",
    {"Retry-After": "1"},
)
UNAVAILABLE = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable",
    "It cannot be done now",
    "Repeat the request after `Retry-After` seconds. Messages are taken all the same.",
    {"Retry-After": str(RETRY_AFTER_SECONDS)},
)
METHOD_NOT_ALLOWED = ProblemKind(
    HTTPStatus.METHOD_NOT_ALLOWED,
    "method-not-allowed",
    "The path has other methods",
    "The header `Allow` lists the methods of the path.",
)
UNSUPPORTED_TYPE = ProblemKind(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported-media-type",
    "The body has another type",
    "Send the body with the Content-Type that `detail` names, in UTF-8 and not compressed.",
)
TOO_LARGE = ProblemKind(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "too-large",
    "The body is too large",
    "A body may have 256 KiB. Send it in several requests.",
)
TOO_MANY = ProblemKind(
    HTTPStatus.TOO_MANY_REQUESTS,
    "too-many-requests",
    "Too much is being asked for at once",
    "Wait until one of your other requests has ended, and ask for less at once.",
    {"Retry-After": str(PROVIDER_RETRY_SECONDS)},
)
NOT_FINISHED = ProblemKind(
    HTTPStatus.CONFLICT,
    "not-finished",
    "The provider has not finished it",
    "Repeat the request after `Retry-After` seconds.",
    {"Retry-After": str(PROVIDER_RETRY_SECONDS)},
)
NO_PROVIDER = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "no-provider",
    "No account of the provider is set up",
    "Set LETTERBOX_PROVIDER_TOKEN and restart.",
)
PROVIDER_REFUSED = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "provider-refused",
    "The provider refuses it",
    "`code` and `text` are the provider's own. Nothing was done.",
)
PROVIDER_ACCOUNT = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "provider-account",
    "The provider's account is not in order",
    "Look at the account in the provider's pages: credits, token, licence. `text` says which.",
)
PROVIDER_AWAY = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "provider-unavailable",
    "The provider cannot be asked now; nothing was done",
    "Repeat the request after `Retry-After` seconds.",
    {"Retry-After": str(PROVIDER_RETRY_SECONDS)},
)
PROVIDER_UNCLEAR = ProblemKind(
    HTTPStatus.BAD_GATEWAY,
    "provider-unclear",
    "The provider gave no clear answer, and may have done it",
    "Look at the provider whether it was done before you ask for it again.",
)
INTERNAL = ProblemKind(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal-error",
    "Letterbox failed; its log says how",
    "Look for `request_id` in the log, and report the error that stands there.",
)

KINDS: dict[type[Exception], ProblemKind] = {
    errors.InvalidCursor: INVALID_CURSOR,
    errors.InvalidInput: INVALID_INPUT,
    errors.UnknownKey: UNAUTHORIZED,
    errors.MissingScope: FORBIDDEN,
    errors.NotFound: NOT_FOUND,
    errors.Conflict: CONFLICT,
    errors.Changed: CHANGED,
    errors.Unavailable: UNAVAILABLE,
}

# Errors of calls to the provider; its codes are a refusal unless listed below.
PROVIDER_KINDS: dict[type[Exception], ProblemKind] = {
    errors.NoProvider: NO_PROVIDER,
    errors.CodeError: PROVIDER_REFUSED,
    errors.AccountError: PROVIDER_ACCOUNT,
    errors.MaintenanceError: PROVIDER_AWAY,
    errors.Unreachable: PROVIDER_AWAY,
    errors.TooManyReports: TOO_MANY,
    errors.TurnedAway: PROVIDER_AWAY,
    errors.TooManyCalls: PROVIDER_AWAY,
    errors.AmbiguousError: PROVIDER_UNCLEAR,
    errors.PartlyTakenError: PROVIDER_UNCLEAR,
    errors.ProviderError: PROVIDER_UNCLEAR,
}
# Codes of the provider that say more than their class.
CODE_KINDS: dict[int, ProblemKind] = {
    **dict.fromkeys((UNKNOWN_MESSAGE, UNKNOWN_USER, UNKNOWN_GROUP, UNKNOWN_SEND), NOT_FOUND),
    BACKGROUND_SEND_NOT_FINISHED: NOT_FINISHED,
}
PROVIDER_PROBLEMS = (
    NO_PROVIDER,
    PROVIDER_REFUSED,
    PROVIDER_ACCOUNT,
    PROVIDER_AWAY,
    PROVIDER_UNCLEAR,
)

# Errors about an Idempotency-Key.
IDEMPOTENCY_KINDS: dict[type[Exception], ProblemKind] = {
    errors.ReusedKey: REUSED_KEY,
    errors.InFlight: IN_FLIGHT,
    errors.CutOff: PROVIDER_UNCLEAR,
}

# What the framework raises.
FRAMEWORK_KINDS: dict[int, ProblemKind] = {
    400: UNREADABLE,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    413: TOO_LARGE,
    415: UNSUPPORTED_TYPE,
}

PROBLEMS = (*KINDS.values(), UNREADABLE, TOO_LARGE, UNSUPPORTED_TYPE, INTERNAL)
# Every kind, in the order of its status: each has a page.
ALL_KINDS = sorted(
    {
        *PROBLEMS,
        *PROVIDER_PROBLEMS,
        *IDEMPOTENCY_KINDS.values(),
        METHOD_NOT_ALLOWED,
        NOT_FINISHED,
        NOT_NEAR,
        TOO_MANY,
    },
    key=lambda kind: (kind.status, kind.slug),
)
DETAILS = {
    NOT_FOUND.slug: "nothing is at this path; /docs lists every path",
    METHOD_NOT_ALLOWED.slug: "the header Allow lists the methods of this path",
    TOO_LARGE.slug: "no body of this interface is as large as that",
}


# The framework's codes for what is wrong, and ours.
_CODES: dict[str, errors.FaultCode] = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "too_long": "too-long",
    "too_short": "too-short",
    "string_too_long": "too-long",
    "string_too_short": "too-short",
    "greater_than": "out-of-range",
    "greater_than_equal": "out-of-range",
    "less_than": "out-of-range",
    "less_than_equal": "out-of-range",
    "finite_number": "out-of-range",
    "literal_error": "not-allowed",
    "enum": "not-allowed",
}
# Its messages about the length of a text speak of items.
_LENGTHS = {"too_long": ("max_length", "at most"), "too_short": ("min_length", "at least")}


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of the application as a problem."""

    @app.exception_handler(errors.LetterboxError)
    async def answer_known(_: Request, error: errors.LetterboxError) -> Response:
        return make_problem_for(error)

    @app.exception_handler(RequestValidationError)
    async def answer_invalid(_: Request, error: RequestValidationError) -> Response:
        return make_problem_for(errors.InvalidFields([_describe(each) for each in error.errors()]))

    @app.exception_handler(HTTPException)
    async def answer_framework(_: Request, error: HTTPException) -> Response:
        kind = FRAMEWORK_KINDS.get(error.status_code, INTERNAL)
        detail = DETAILS.get(kind.slug, str(error.detail))
        return make_problem(kind, detail, headers=error.headers)


def make_problem_for(error: Exception) -> Response:
    """The answer to an error; an unexpected one is logged, and the answer gives no details."""
    known = KINDS | PROVIDER_KINDS | IDEMPOTENCY_KINDS
    kind = next((known[each] for each in type(error).__mro__ if each in known), None)
    if isinstance(error, errors.CodeError):
        kind = CODE_KINDS.get(error.code, kind)
    if kind is None:
        log.error("request_failed", exc_info=error)
        return make_problem(INTERNAL, "An unforeseen error; it has been logged.")
    headers = {}
    if isinstance(error, errors.MissingScope):
        challenge = f'{REALM}, error="insufficient_scope", scope="{error.scope}"'
        headers["WWW-Authenticate"] = challenge
    members = _describe_code(error) if isinstance(error, errors.CodeError) else {}
    return make_problem(
        kind, str(error), found=_list_fields(error), headers=headers, members=members
    )


def make_problem(
    kind: ProblemKind,
    detail: str,
    *,
    found: Sequence[errors.Fault] | None = None,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """`found` becomes the problem's `errors`, `members` its members of this kind alone."""
    request_id = find_request_id()
    problem: dict[str, Any] = {
        "type": f"{find_root()}{kind.type}",
        "title": kind.title,
        "status": int(kind.status),
        "detail": detail,
        **({"request_id": request_id} if request_id else {}),
        **(members or {}),
    }
    if found is not None:
        problem["errors"] = [
            {"field": each.field, "code": each.code, "detail": each.text} for each in found
        ]
    return Response(
        json.dumps(problem),
        status_code=int(kind.status),
        media_type=MEDIA_TYPE,
        headers={**kind.headers, **(headers or {})},
    )


def _list_fields(error: Exception) -> Sequence[errors.Fault] | None:
    if isinstance(error, errors.InvalidFields):
        return error.found
    if isinstance(error, errors.InvalidInput):
        return [errors.Fault(error.field or "", str(error), error.code)]
    return None


def _describe_code(error: errors.CodeError) -> dict[str, Any]:
    return {"code": error.code, "text": error.provider_text, "details": list(error.details)}


def _describe(error: Mapping[str, Any]) -> errors.Fault:
    """What the framework says about a field, without repeating what was sent."""
    field = ".".join(str(each) for each in error["loc"][1:])
    kind = error["type"]
    code: errors.FaultCode = _CODES.get(kind, "invalid")
    if kind.endswith(("_type", "_parsing", "_from_float")):
        code = "wrong-type"
    text = error["msg"].removeprefix("Value error, ")
    if kind == "model_attributes_type" and not field:
        text = "send a JSON object"
    elif kind == "extra_forbidden":
        text = "there is no such field"
    elif kind in _LENGTHS and isinstance(error["input"], str):
        bound, least_or_most = _LENGTHS[kind]
        text = f"a text of {least_or_most} {error['ctx'][bound]} characters"
    return errors.Fault(field, text, code)
