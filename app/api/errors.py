"""How errors are answered: the only place that knows HTTP's codes, as RFC 9457 problems."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from app.domain import errors

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
PROVIDER_RETRY_SECONDS = 60
REALM = 'Bearer realm="letterbox"'

log = structlog.get_logger("letterbox.api")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem; `slug` is the end of its `type`, stable for programs."""

    status: HTTPStatus
    slug: str
    title: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return f"/problems/{self.slug}"


INVALID_INPUT = Kind(
    HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-input", "The request holds something wrong"
)
INVALID_CURSOR = Kind(
    HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-cursor", "The cursor does not fit the query"
)
UNAUTHORIZED = Kind(
    HTTPStatus.UNAUTHORIZED, "unauthorized", "A valid key is needed", {"WWW-Authenticate": REALM}
)
FORBIDDEN = Kind(HTTPStatus.FORBIDDEN, "forbidden", "The key lacks a scope")
NOT_FOUND = Kind(HTTPStatus.NOT_FOUND, "not-found", "There is no such thing")
CONFLICT = Kind(HTTPStatus.CONFLICT, "conflict", "The state of things forbids it")
REUSED_KEY = Kind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency-key-reused",
    "The Idempotency-Key came with another request before",
)
IN_FLIGHT = Kind(
    HTTPStatus.CONFLICT,
    "in-flight",
    "The first request with this Idempotency-Key is not done yet",
    {"Retry-After": "1"},
)
UNAVAILABLE = Kind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable",
    "It cannot be done now",
    {"Retry-After": str(RETRY_AFTER_SECONDS)},
)
METHOD_NOT_ALLOWED = Kind(
    HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "The path has other methods"
)
TOO_LARGE = Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "The body is too large")
NO_PROVIDER = Kind(
    HTTPStatus.SERVICE_UNAVAILABLE, "no-provider", "No account of the provider is set up"
)
PROVIDER_REFUSED = Kind(
    HTTPStatus.UNPROCESSABLE_ENTITY, "provider-refused", "The provider refuses it"
)
PROVIDER_ACCOUNT = Kind(
    HTTPStatus.SERVICE_UNAVAILABLE, "provider-account", "The provider's account is not in order"
)
PROVIDER_AWAY = Kind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "provider-unavailable",
    "The provider cannot be asked now; nothing was done",
    {"Retry-After": str(PROVIDER_RETRY_SECONDS)},
)
PROVIDER_UNCLEAR = Kind(
    HTTPStatus.BAD_GATEWAY,
    "provider-unclear",
    "The provider gave no clear answer, and may have done it",
)
INTERNAL = Kind(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "Letterbox failed; its log says how"
)

KINDS: dict[type[Exception], Kind] = {
    errors.InvalidCursor: INVALID_CURSOR,
    errors.InvalidInput: INVALID_INPUT,
    errors.UnknownKey: UNAUTHORIZED,
    errors.MissingScope: FORBIDDEN,
    errors.NotFound: NOT_FOUND,
    errors.Conflict: CONFLICT,
    errors.Unavailable: UNAVAILABLE,
}

# What a call to the provider may end in; codes that say nothing else are a refusal.
PROVIDER_KINDS: dict[type[Exception], Kind] = {
    errors.NoProvider: NO_PROVIDER,
    errors.CodeError: PROVIDER_REFUSED,
    errors.AccountError: PROVIDER_ACCOUNT,
    errors.MaintenanceError: PROVIDER_AWAY,
    errors.Unreachable: PROVIDER_AWAY,
    errors.TurnedAway: PROVIDER_AWAY,
    errors.TooManyCalls: PROVIDER_AWAY,
    errors.AmbiguousError: PROVIDER_UNCLEAR,
    errors.PartlyTakenError: PROVIDER_UNCLEAR,
    errors.ProviderError: PROVIDER_UNCLEAR,
}
PROVIDER_PROBLEMS = (
    NO_PROVIDER,
    PROVIDER_REFUSED,
    PROVIDER_ACCOUNT,
    PROVIDER_AWAY,
    PROVIDER_UNCLEAR,
)

# What an Idempotency-Key may end in.
IDEMPOTENCY_KINDS: dict[type[Exception], Kind] = {
    errors.ReusedKey: REUSED_KEY,
    errors.InFlight: IN_FLIGHT,
}

# What the framework raises by itself.
FRAMEWORK_KINDS: dict[int, Kind] = {
    400: Kind(HTTPStatus.BAD_REQUEST, "unreadable", "The request cannot be read"),
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    413: TOO_LARGE,
}

PROBLEMS = (*KINDS.values(), FRAMEWORK_KINDS[400], TOO_LARGE, INTERNAL)
DETAILS = {
    NOT_FOUND.slug: "nothing is at this path; /docs lists every path",
    METHOD_NOT_ALLOWED.slug: "the header Allow lists the methods of this path",
    TOO_LARGE.slug: "no body of this interface is as large as that",
}


# What the framework says of a text's length speaks of items.
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
    async def answer_framework(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _find_methods(app, request) or headers.get("Allow", "")
        kind = FRAMEWORK_KINDS.get(error.status_code, INTERNAL)
        return make_problem(kind, DETAILS.get(kind.slug, str(error.detail)), headers=headers)


def make_problem_for(error: Exception) -> Response:
    """The answer to an error; one that nobody foresaw is logged and tells nothing."""
    known = KINDS | PROVIDER_KINDS | IDEMPOTENCY_KINDS
    kind = next((known[each] for each in type(error).__mro__ if each in known), None)
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
    kind: Kind,
    detail: str,
    *,
    found: Sequence[tuple[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """An RFC 9457 answer; `found` are the pairs of field and detail that become `errors`.

    `members` are what this kind of problem has besides.
    """
    problem: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": int(kind.status),
        "detail": detail,
        **(members or {}),
    }
    if found is not None:
        problem["errors"] = [{"field": name, "detail": text} for name, text in found]
    return Response(
        json.dumps(problem),
        status_code=int(kind.status),
        media_type=MEDIA_TYPE,
        headers={**kind.headers, **(headers or {})},
    )


def _list_fields(error: Exception) -> Sequence[tuple[str, str]] | None:
    if isinstance(error, errors.InvalidFields):
        return error.found
    if isinstance(error, errors.InvalidInput):
        return [(error.field or "", str(error))]
    return None


def _describe_code(error: errors.CodeError) -> dict[str, Any]:
    return {"code": error.code, "text": error.provider_text, "details": list(error.details)}


def _describe(error: Mapping[str, Any]) -> tuple[str, str]:
    """A validation error as (field, text); the text never repeats what was sent."""
    where = [str(each) for each in error["loc"][1:]]
    if error["type"] == "json_invalid":
        return "", f"the body is no JSON: {error['ctx']['error']} at character {where[0]}"
    if error["type"] == "model_attributes_type" and not where:
        return "", "send a JSON object with Content-Type: application/json"
    if error["type"] == "extra_forbidden":
        return ".".join(where), "there is no such field"
    if error["type"] in _LENGTHS and isinstance(error["input"], str):
        bound, least_or_most = _LENGTHS[error["type"]]
        return ".".join(where), f"a text of {least_or_most} {error['ctx'][bound]} characters"
    return ".".join(where), error["msg"].removeprefix("Value error, ")


def _find_methods(app: FastAPI, request: Request) -> str:
    """Every method of the path: the framework itself names those of one route."""
    paths = app.openapi()["paths"]
    methods = {
        method.upper()
        for template, operations in paths.items()
        if compile_path(template)[0].match(request.scope["path"])
        for method in operations
    }
    return ", ".join(sorted(methods))
