"""What is wrong with a field is said in our words, whatever the library calls it."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core.core_schema import ErrorType

from app.fault_words import describe_fault


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


def describe(kind: Any, given: object) -> str:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(given)
    [found] = refused.value.errors(include_url=False)
    return describe_fault(found["type"], found["input"], found.get("ctx", {}), found["msg"])


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (Strict, {}, "it is missing"),
        (Strict, {"name": "Ada", "nam": "Ada"}, "there is no such field"),
        (Strict, {"name": 5}, "write a text"),
        (Strict, 5, "write an object"),
        (int, "many", "write a whole number"),
        (int, 1.5, "write a whole number"),
        (float, "x", "write a number"),
        (Decimal, "x", "write a number"),
        (bool, "perhaps", "write true or false"),
        (list[int], 5, "write a list"),
        (frozenset[int], 5, "write a list"),
        (dict[str, int], 5, "write an object"),
        (datetime, "soon", "write a time such as 2026-06-01T12:00:00Z"),
        (AwareDatetime, "2026-06-01T12:00:00", "write a time such as 2026-06-01T12:00:00Z"),
        (Literal["GET", "POST"], "PUT", "write 'GET' or 'POST'"),
        (Annotated[int, Field(ge=1)], 0, "write 1 or more"),
        (Annotated[int, Field(le=9)], 10, "write 9 or less"),
        (Annotated[float, Field(gt=0)], 0, "write a number above 0"),
        (Annotated[float, Field(lt=1)], 1, "write a number below 1"),
        (Annotated[float, Field(allow_inf_nan=False)], "nan", "write a number that is finite"),
        (Annotated[str, Field(max_length=2)], "abc", "write a text of at most 2 characters"),
        (Annotated[str, Field(min_length=1)], "", "write a text of at least 1 character"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "write at most 1 entry"),
        (Annotated[list[int], Field(min_length=2)], [], "write at least 2 entries"),
        (Annotated[str, Field(pattern="^[0-9]+$")], "x", "write it in the form ^[0-9]+$"),
        (str, b"\xff", "write a text"),
    ],
)
def test_a_fault_says_what_to_write(kind: Any, given: object, said: str) -> None:
    assert describe(kind, given) == said


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_no_kind_of_fault_is_told_in_the_words_of_the_library(kind: str) -> None:
    if kind != "value_error":
        said = describe_fault(kind, "given", defaultdict(str, max_length=9), "Their words")
        assert said.startswith(("write ", "it ", "there is no such field"))
        assert "Their words" not in said
