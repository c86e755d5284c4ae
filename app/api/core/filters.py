"""The types of filters: numbers, times and booleans in a URL."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from app.domain.numbers import normalise_number

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d(:?\d\d)?)", re.ASCII
)


def read_time(text: str) -> datetime:
    """An RFC 3339 time with an offset. Raises ValueError with a text for people."""
    if not _RFC3339.fullmatch(text):
        if _RFC3339.fullmatch(text.replace(" ", "+")):
            raise ValueError("write the offset's + as %2B in a URL, or use Z")
        raise ValueError("write a time with its offset, like 2026-06-01T12:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such time") from None


def _read_bool(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("write true or false")
    return text == "true"


def split_list(value: Any) -> Any:
    """Several values, in repeated parameters or separated by commas."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return [part for each in value for part in each.split(",")]
    return value


def _lift(read: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


TimeFilter = Annotated[
    datetime | None,
    _lift(read_time),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
]
BoolFilter = Annotated[bool | None, _lift(_read_bool), WithJsonSchema({"type": "boolean"})]
_NUMBER = "number"
QueryModel = TypeVar("QueryModel", bound=BaseModel)
NumberFilter = Annotated[str | None, Field(max_length=1000), _NUMBER]


def read_numbers(query: QueryModel, region: str) -> QueryModel:
    """The query with its numbers normalised, so that a cursor works however they are written."""
    written = {
        name: getattr(query, name)
        for name, field in type(query).model_fields.items()
        if _NUMBER in field.metadata
    }
    read = {
        name: normalise_number(text, region) for name, text in written.items() if text is not None
    }
    return query.model_copy(update=read)
