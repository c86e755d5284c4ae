"""Has the framework answer every error as a problem."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api.core.errors import DETAILS, FRAMEWORK_KINDS, make_problem, make_problem_for
from app.api.core.problems import INTERNAL
from app.domain import errors
from app.fault_words import describe_fault

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


def _describe(error: Mapping[str, Any]) -> errors.Fault:
    """What the framework says about a field, without repeating what was sent."""
    field = ".".join(str(each) for each in error["loc"][1:])
    kind = error["type"]
    code: errors.FaultCode = _CODES.get(kind, "invalid")
    if kind.endswith(("_type", "_parsing", "_from_float")):
        code = "wrong-type"
    if kind in {"missing", "model_attributes_type"} and not field:
        return errors.Fault(field, "send a JSON object", code)
    text = describe_fault(kind, error["input"], error.get("ctx", {}), error["msg"])
    return errors.Fault(field, text, code)
