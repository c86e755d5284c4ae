"""Texts with placeholders, `{name}` or `{name|there}`: their pieces, and how they are filled."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from app.domain.errors import InvalidInput
from app.domain.outbound.gsm import LONGEST_BODY

# A template may be longer than the texts that it makes, but needs a limit.
LONGEST_TEMPLATE = 2000

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|\{|[^{}]+|\}")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`name` is folded; `fallback` is used where there is no value, None if none was written."""

    name: str
    fallback: str | None


def fold_name(name: str) -> str:
    """Placeholders are compared in this form."""
    return name.strip().casefold()


@lru_cache(maxsize=256)
def split_template(template: str) -> tuple[str | Placeholder, ...]:
    """Plain text and placeholders in order. Raises InvalidInput."""
    pieces: list[str | Placeholder] = []
    for found in _PIECE.finditer(template):
        piece = found.group()
        if found.group(1) is not None:
            name, bar, fallback = found.group(1).partition("|")
            pieces.append(Placeholder(fold_name(name), fallback if bar else None))
        elif piece == "{":
            raise InvalidInput(
                "a { opens a placeholder that does not end; write {{ for a brace", field="reply"
            )
        else:
            pieces.append({"{{": "{", "}}": "}"}.get(piece, piece))
    return tuple(pieces)


def check_placeholders(template: str, known: Collection[str], *, field: str, noun: str) -> None:
    """Raises InvalidInput for a template that is blank, too long or has an unknown placeholder.

    `known` are folded names; `noun` is what people call such a text.
    """
    if not template.strip():
        raise InvalidInput(f"the {noun} is blank", field=field)
    if len(template) > LONGEST_TEMPLATE:
        raise InvalidInput(f"a {noun} has at most {LONGEST_TEMPLATE} characters", field=field)
    try:
        pieces = split_template(template)
    except InvalidInput as error:
        raise InvalidInput(str(error), field=field) from None
    plain = sum(len(piece) for piece in pieces if isinstance(piece, str))
    if plain > LONGEST_BODY:
        raise InvalidInput(
            f"the {noun} has {plain} characters besides its placeholders;"
            f" the provider takes at most {LONGEST_BODY}",
            field=field,
        )
    for name in list_names(template):
        if name not in known:
            raise InvalidInput(
                f"no placeholder is called {{{name}}}; known are"
                f" {', '.join(f'{{{each}}}' for each in sorted(known)) or 'none'}",
                field=field,
            )


def list_names(template: str) -> list[str]:
    """The folded names of the placeholders, each once."""
    pieces = split_template(template)
    return list(dict.fromkeys(each.name for each in pieces if isinstance(each, Placeholder)))


def list_missing(template: str, values: Mapping[str, str]) -> Sequence[str]:
    """The placeholders that have neither a value nor a fallback."""
    return [
        piece.name
        for piece in split_template(template)
        if isinstance(piece, Placeholder)
        and piece.fallback is None
        and not values.get(piece.name, "").strip()
    ]


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled; values, by folded name, are not parsed again."""
    return "".join(
        piece if isinstance(piece, str) else _fill(piece, values)
        for piece in split_template(template)
    )


def _fill(placeholder: Placeholder, values: Mapping[str, str]) -> str:
    value = values.get(placeholder.name, "")
    return value if value.strip() else placeholder.fallback or ""
