"""The reply of a rule: its placeholders, their values, and what can be sent."""

from collections.abc import Collection, Mapping

from app.domain.inbound.messages import MERGE_FIELDS
from app.domain.keywords import split_keyword
from app.domain.outbound.gsm import LONGEST_BODY
from app.domain.templates import check_placeholders

TEXT_FIELDS = ("source", "dest", "keyword", "rest", "body")


def check_template(template: str, own_names: Collection[str]) -> None:
    """Raises InvalidInput for a reply that is blank, too long or has an unknown placeholder.

    `own_names` are the names that our numbers give to merge fields.
    """
    check_placeholders(template, list_known_names(own_names), field="reply", noun="reply")


def list_known_names(own_names: Collection[str]) -> set[str]:
    """The folded names of all placeholders that a text can fill."""
    return {*MERGE_FIELDS, *TEXT_FIELDS, *(name.casefold() for name in own_names)}


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
