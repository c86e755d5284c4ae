"""ETags of single resources, and If-Match, so that nobody overwrites another's change."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from app.domain.errors import Changed

ETAG_HEADER: dict[str, Any] = {
    "ETag": {
        "description": "the resource's version, for If-Match and If-None-Match",
        "schema": {"type": "string"},
    }
}

# What changes without anyone changing the resource, or is shown only once.
_VOLATILE = frozenset({"last_seen_at", "last_used_at", "value", "key", "secret"}) | {
    "last_delivery",
    "failing_since",
    "waiting",
    "uncertain",
    "credits",
    "credits_at",
    "probe_at",
    # What comes and goes in a conversation.
    "items",
    "next",
    "last_message",
    "last_outbound",
    "unread",
    "opted_out",
    "needs",
    "updated_at",
}
_HEX_DIGITS = 20
# No tag looks like this.
ANY = '"*"'
# A tag in a list: it may contain commas. Some programs leave out the quotes.
_TAG = re.compile(r'(?:W/)?"([^"]*)"|([^\s,"*]+)')

Stored = TypeVar("Stored")


def make_etag(content: Any) -> str:
    """A tag of two parts: a digest of what people change, for If-Match, and one of everything."""
    return f'"{_digest(_settle(content))}.{_digest(content)}"'


def is_single(model: Any) -> bool:
    """Whether an answer of this model is one resource, not a list of them."""
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        return False
    return "items" not in model.model_fields or "id" in model.model_fields


def tag_answer(request: Request, answer: Response) -> Response:
    """The answer with an ETag; 304 if the caller has it already."""
    etag = make_etag(json.loads(bytes(answer.body)))
    answer.headers["ETag"] = etag
    known = _read_tags(request.headers.getlist("if-none-match"))
    if request.method == "GET" and known & {ANY, etag.strip('"')}:
        return Response(status_code=304, headers={"ETag": etag})
    return answer


@dataclass(frozen=True, slots=True)
class Precondition:
    """The tags of If-Match; none without that header."""

    tags: frozenset[str]

    def check(self, shown: BaseModel) -> None:
        """Raises Changed if the resource has changed since the caller read it."""
        if not self.tags or ANY in self.tags:
            return
        current = _digest(_settle(shown.model_dump(mode="json", by_alias=True)))
        if current not in {tag.partition(".")[0] for tag in self.tags}:
            raise Changed("it has changed since you read it: read it again")

    def checking(self, show: Callable[[Stored], BaseModel]) -> Callable[[Stored], None]:
        """`check` for a stored row, to be called by a flow in its transaction."""
        return lambda stored: self.check(show(stored))

    async def check_read(self, read: Callable[[], Awaitable[BaseModel]]) -> None:
        """`check` for a resource that is read only if there is an If-Match."""
        if self.tags:
            self.check(await read())


def read_precondition(
    request: Request,
    if_match: Annotated[  # noqa: ARG001 it may come in several lines, of which this is one
        str | None,
        Header(description="an ETag: 412 unless the resource is still what had it"),
    ] = None,
) -> Precondition:
    return Precondition(_read_tags(request.headers.getlist("if-match")))


# An endpoint's parameter.
IfMatch = Annotated[Precondition, Depends(read_precondition)]


def _settle(content: Any) -> Any:
    """The content without what changes by itself."""
    if isinstance(content, Mapping):
        kept = {name: value for name, value in content.items() if name not in _VOLATILE}
        if isinstance(kept.get("auth"), list):
            kept["auth"] = [_settle(each) for each in kept["auth"]]
        return kept
    return content


def _digest(content: Any) -> str:
    data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(data).hexdigest()[:_HEX_DIGITS]


def _read_tags(values: Sequence[str]) -> frozenset[str]:
    """The tags of a header without quotes, and ANY for a star; "" matches nothing.

    Proxies add `W/` before a tag, and `-gzip` when they compress.
    """
    listed = ",".join(values).strip()
    if listed == "*":
        return frozenset({ANY})
    tags = {quoted or bare for quoted, bare in _TAG.findall(listed)}
    return frozenset({tag.removesuffix("-gzip") for tag in tags} or ({""} if values else ()))
