"""What placeholders become, and which replies cannot go out."""

import pytest

from app.domain.errors import InvalidInput
from app.domain.rules.replies import check_template, find_fault, list_values
from app.domain.templates import fill_template

VALUES = list_values(
    source="447700900123",
    dest="447700900100",
    body="Join, Anna {name} & Bob! ",
    merge_fields={"name": "Anna", "email": "", "1": "blue"},
    merge_field_names={"1": "Colour", "2": "size"},
)


@pytest.mark.parametrize(
    ("template", "reply"),
    [
        ("Hello {name}", "Hello Anna"),
        ("Hello {Name}{ name }", "Hello AnnaAnna"),
        ("{email|none} {5|five}", "none five"),
        ("{5}", ""),
        ("{5|}", ""),
        ("{name|there}", "Anna"),
        ("{5|a|b}", "a|b"),
        ("{1} {colour} {COLOUR} {size|M}", "blue blue blue M"),
        ("{source} {dest}", "447700900123 447700900100"),
        ("{keyword}: {rest}", "Join: Anna {name} & Bob!"),
        ("{body}", "Join, Anna {name} & Bob! "),
        ("{{name}", "{name}"),
        ("{{name}}", "{name}"),
        ("{{{name}}}", "{Anna}"),
        ("a } b", "a } b"),
        ("{{", "{"),
        ("plain", "plain"),
    ],
)
def test_placeholders_are_filled_once(template: str, reply: str) -> None:
    check_template(template, {"Colour", "size"})
    assert fill_template(template, VALUES) == reply


@pytest.mark.parametrize("template", ["{", "{name", "{}", "{colour}", "{name}{", "{first name}"])
def test_what_nothing_could_fill_is_refused(template: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_template(template, ())
    assert caught.value.field == "reply"


def test_the_error_names_the_placeholder_and_those_that_are_known() -> None:
    with pytest.raises(InvalidInput, match=r"\{nmae\}.*\{colour\}.*\{name\}"):
        check_template("{nmae}", {"Colour"})


def test_a_reply_that_is_too_long_or_blank_cannot_go_out() -> None:
    assert find_fault("x" * 459) is None
    assert "460 characters" in (find_fault("x" * 460) or "")
    assert find_fault("\U0001f600" * 459) is None
    assert "blank" in (find_fault(" \n") or "")
