"""What the description of the interface says of its errors."""

from http import HTTPStatus
from typing import Any, get_args

from app.api.core.errors import (
    ALL_KINDS,
    IDEMPOTENCY_KINDS,
    MEDIA_TYPE,
    PROBLEMS,
    PROVIDER_PROBLEMS,
)
from app.api.core.problems import NO_PROVIDER, NOT_FINISHED, TOO_MANY, ProblemKind
from app.domain.errors import FaultCode

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 has it",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "description": "which kind of problem, stable for programs",
            "examples": ["/problems/not-found"],
        },
        "title": {"type": "string", "description": "the kind in words"},
        "status": {"type": "integer", "description": "the answer's status"},
        "detail": {"type": "string", "description": "what is wrong here, for people"},
        "request_id": {
            "type": "string",
            "description": "as in the header `X-Request-Id` and in the log",
        },
        "code": {"type": "integer", "description": "the provider's error code"},
        "text": {"type": "string", "description": "what the provider says of its code"},
        "details": {
            "type": "array",
            "description": "every line that the provider wrote beneath its code",
            "items": {"type": "string"},
        },
        "errors": {
            "type": "array",
            "description": "with 422: each field that is off",
            "items": {"$ref": "#/components/schemas/FieldError"},
        },
    },
}
_FIELD_ERROR: dict[str, Any] = {
    "type": "object",
    "description": "What is wrong with a field or parameter",
    "required": ["field", "code", "detail"],
    "properties": {
        "field": {
            "type": "string",
            "description": "its name; those of nested fields have dots between",
            "examples": ["to.3"],
        },
        "code": {
            "$ref": "#/components/schemas/FieldErrorCode",
            "description": "what is wrong, for programs",
        },
        "detail": {"type": "string", "description": "the same for people"},
    },
}
_FIELD_ERROR_CODE: dict[str, Any] = {
    "type": "string",
    "enum": list(get_args(FaultCode)),
    "description": "What is wrong with it; new codes may be added",
}

# Names of the answers with a problem: generated clients have a type for each.
_ANSWERS = {
    HTTPStatus.BAD_REQUEST: "BadRequest",
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.NOT_FOUND: "NotFound",
    HTTPStatus.CONFLICT: "Conflict",
    HTTPStatus.PRECONDITION_FAILED: "PreconditionFailed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "ContentTooLarge",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "UnsupportedMediaType",
    HTTPStatus.UNPROCESSABLE_ENTITY: "UnprocessableContent",
    HTTPStatus.TOO_MANY_REQUESTS: "TooManyRequests",
    HTTPStatus.INTERNAL_SERVER_ERROR: "InternalServerError",
    HTTPStatus.BAD_GATEWAY: "BadGateway",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailable",
}
_HEADERS = {
    "Retry-After": "after how many seconds to ask again",
    "WWW-Authenticate": "how to authenticate",
}

# Operations that may answer 409.
_CONFLICTING = frozenset(
    {
        "add_number",
        "add_webhook",
        "invite_member",
        "change_member",
        "deactivate_member",
        "renew_invitation",
        "create_batch",
        "cancel_whole_batch",
        "change_outbound",
        "create_saved_reply",
        "test_webhook",
        "replay_webhook",
        "create_rule",
        "remove_message",
        "replay_message",
        "send_text",
        "cancel_outbound",
        "resolve_outbound",
        "get_background_send",
        "reconcile",
    }
)
# Tags whose operations call the provider.
_ASKING = frozenset({"credits", "reports", "contacts", "groups", "users", "provider", "reconcile"})
# Further problems of single operations.
_SPECIAL: dict[str, tuple[ProblemKind, ...]] = {
    "send_text": (NO_PROVIDER,),
    "cancel_outbound": PROVIDER_PROBLEMS,
    "get_report": (TOO_MANY,),
    "get_background_send": (NOT_FINISHED,),
}

SCHEMAS: dict[str, Any] = {
    "Problem": _PROBLEM,
    "FieldError": _FIELD_ERROR,
    "FieldErrorCode": _FIELD_ERROR_CODE,
}


def add_problems(operation: dict[str, Any], path: str) -> None:
    """The answers for errors that this operation can give."""
    named = {each["name"].lower() for each in operation.get("parameters", ())}
    excluded = {
        HTTPStatus.NOT_FOUND: "{" not in path,
        HTTPStatus.CONFLICT: operation["operationId"] not in _CONFLICTING
        and "idempotency-key" not in named,
        HTTPStatus.BAD_REQUEST: "requestBody" not in operation,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "requestBody" not in operation,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "requestBody" not in operation,
        HTTPStatus.PRECONDITION_FAILED: "if-match" not in named,
    }
    asked = PROVIDER_PROBLEMS if operation["tags"][0] in _ASKING else ()
    once = IDEMPOTENCY_KINDS.values() if "idempotency-key" in named else ()
    kinds = (*PROBLEMS, *asked, *_SPECIAL.get(operation["operationId"], ()), *once)
    for status in sorted({kind.status for kind in kinds if not excluded.get(kind.status)}):
        answer = {"$ref": f"#/components/responses/{_ANSWERS[status]}"}
        operation["responses"][str(int(status))] = answer


def describe_problems() -> dict[str, Any]:
    """The answers that operations refer to, by their names."""
    by_status: dict[HTTPStatus, list[ProblemKind]] = {}
    for kind in ALL_KINDS:
        by_status.setdefault(kind.status, []).append(kind)
    return {
        name: _describe_problem(by_status[status])
        for status, name in _ANSWERS.items()
        if status in by_status
    }


def _describe_problem(kinds: list[ProblemKind]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": "; ".join(f"`{kind.type}`: {kind.title}" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    headers = {
        name: {"description": _HEADERS[name], "schema": {"type": "string"}}
        for kind in kinds
        for name in kind.headers
    }
    if headers:
        described["headers"] = headers
    return described
