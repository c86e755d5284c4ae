"""How errors are answered, as RFC 9457 problems: the only place that maps them to HTTP."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from starlette.responses import Response

from app.api.core.problems import (
    CHANGED,
    CONFLICT,
    FORBIDDEN,
    IN_FLIGHT,
    INTERNAL,
    INVALID_CURSOR,
    INVALID_INPUT,
    METHOD_NOT_ALLOWED,
    NO_PROVIDER,
    NOT_FINISHED,
    NOT_FOUND,
    NOT_NEAR,
    PROVIDER_ACCOUNT,
    PROVIDER_AWAY,
    PROVIDER_REFUSED,
    PROVIDER_UNCLEAR,
    REALM,
    REUSED_KEY,
    TOO_LARGE,
    TOO_MANY,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNREADABLE,
    UNSUPPORTED_TYPE,
    ProblemKind,
)
from app.api.middleware.request_ids import find_request_id, find_root
from app.domain import errors, provider_errors
from app.provider.codes import (
    BACKGROUND_SEND_NOT_FINISHED,
    UNKNOWN_GROUP,
    UNKNOWN_MESSAGE,
    UNKNOWN_SEND,
    UNKNOWN_USER,
)

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger("letterbox.api")


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
    provider_errors.CodeError: PROVIDER_REFUSED,
    provider_errors.AccountError: PROVIDER_ACCOUNT,
    provider_errors.MaintenanceError: PROVIDER_AWAY,
    provider_errors.Unreachable: PROVIDER_AWAY,
    provider_errors.TooManyReports: TOO_MANY,
    provider_errors.TurnedAway: PROVIDER_AWAY,
    provider_errors.TooManyCalls: PROVIDER_AWAY,
    provider_errors.AmbiguousError: PROVIDER_UNCLEAR,
    provider_errors.PartlyTakenError: PROVIDER_UNCLEAR,
    provider_errors.ProviderError: PROVIDER_UNCLEAR,
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


def make_problem_for(error: Exception) -> Response:
    """The answer to an error; an unexpected one is logged, and the answer gives no details."""
    known = KINDS | PROVIDER_KINDS | IDEMPOTENCY_KINDS
    kind = next((known[each] for each in type(error).__mro__ if each in known), None)
    if isinstance(error, provider_errors.CodeError):
        kind = CODE_KINDS.get(error.code, kind)
    if kind is None:
        log.error("request_failed", exc_info=error)
        return make_problem(INTERNAL, "An unforeseen error; it has been logged.")
    headers = {}
    if isinstance(error, errors.MissingScope):
        challenge = f'{REALM}, error="insufficient_scope", scope="{error.scope}"'
        headers["WWW-Authenticate"] = challenge
    detail = str(error)
    if isinstance(error, errors.DatabaseAway):
        log.warning("database_away", error=detail)
        detail = error.public
    members = _describe_code(error) if isinstance(error, provider_errors.CodeError) else {}
    return make_problem(kind, detail, found=_list_fields(error), headers=headers, members=members)


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


def _describe_code(error: provider_errors.CodeError) -> dict[str, Any]:
    return {"code": error.code, "text": error.provider_text, "details": list(error.details)}
