"""The reply of a rule: its placeholders, how they are filled, and what can be sent."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from app.domain.errors import InvalidInput
from app.domain.inbound.messages import MERGE_FIELDS
from app.domain.keywords import split_keyword
from app.domain.outbound.gsm import LONGEST_BODY

# A template may be longer than its replies, but needs a limit.
LONGEST_TEMPLATE = 2000

TEXT_FIELDS = ("source", "dest", "keyword", "rest", "body")

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|\{|[^{}]+|\}")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`name` is folded; `fallback` is used if the text has no value for it."""

    name: str
    fallback: str


@lru_cache(maxsize=256)
def split_template(template: str) -> tuple[str | Placeholder, ...]:
    """Plain text and placeholders in order. Raises InvalidInput."""
    pieces: list[str | Placeholder] = []
    for found in _PIECE.finditer(template):
        piece = found.group()
        if found.group(1) is not None:
            name, _, fallback = found.group(1).partition("|")
            pieces.append(Placeholder(name.strip().casefold(), fallback))
        elif piece == "{":
            raise InvalidInput(
                "a { opens a placeholder that does not end; write {{ for a brace", field="reply"
            )
        else:
            pieces.append({"{{": "{", "}}": "}"}.get(piece, piece))
    return tuple(pieces)


def check_template(template: str, own_names: Collection[str]) -> None:
    """Raises InvalidInput for a reply that is blank, too long or has an unknown placeholder.

    `own_names` are the names that our numbers give to merge fields.
    """
    if not template.strip():
        raise InvalidInput("the reply is blank", field="reply")
    if len(template) > LONGEST_TEMPLATE:
        raise InvalidInput(f"a reply has at most {LONGEST_TEMPLATE} characters", field="reply")
    pieces = split_template(template)
    plain = sum(len(piece) for piece in pieces if isinstance(piece, str))
    if plain > LONGEST_BODY:
        raise InvalidInput(
            f"the reply has {plain} characters besides its placeholders;"
            f" the provider takes at most {LONGEST_BODY}",
            field="reply",
        )
    known = {*MERGE_FIELDS, *TEXT_FIELDS, *(name.casefold() for name in own_names)}
    for piece in pieces:
        if isinstance(piece, Placeholder) and piece.name not in known:
            raise InvalidInput(
                f"no placeholder is called {{{piece.name}}}; known are"
                f" {', '.join(f'{{{name}}}' for name in sorted(known))}",
                field="reply",
            )


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """The reply with its placeholders filled; values, by folded name, are not parsed again."""
    return "".join(
        piece if isinstance(piece, str) else _fill(piece, values)
        for piece in split_template(template)
    )


def list_values(
    *,
    source: str,
    dest: str,
    body: str,
    merge_fields: Mapping[str, str],
    merge_field_names: Mapping[str, str],
) -> dict[str, str]:
    """A text's values for placeholders; `merge_field_names` are the number's own, by field."""
    keyword, rest = split_keyword(body)
    values = {name: merge_fields.get(name, "") for name in MERGE_FIELDS}
    values |= {
        own.casefold(): merge_fields.get(field, "") for field, own in merge_field_names.items()
    }
    return values | {
        "source": source,
        "dest": dest,
        "keyword": keyword,
        "rest": rest,
        "body": body,
    }


def find_fault(reply: str) -> str | None:
    """Why a filled reply cannot be sent; None if it can."""
    if len(reply) > LONGEST_BODY:
        return (
            f"the reply has {len(reply)} characters once filled; the provider takes at most"
            f" {LONGEST_BODY}"
        )
    if not reply.strip():
        return "the reply is blank once filled"
    return None


def _fill(placeholder: Placeholder, values: Mapping[str, str]) -> str:
    value = values.get(placeholder.name, "")
    return value if value.strip() else placeholder.fallback
