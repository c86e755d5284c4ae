"""The provider's forward: any request becomes an inbound message, with its oddities flagged."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from app.domain.forms import BYTE_ORDER_MARK, split_form, unquote
from app.domain.messages import (
    MERGE_FIELDS,
    InboundMessage,
    RawForward,
    Via,
    make_dedupe_key,
    normalise_number,
    sort_problems,
)
from app.domain.times import read_local
from app.provider.bodies import split_body
from app.provider.charsets import decode_text, find_codec

_AUTH = b"auth"

# The provider's page, Inbound Message Forwarding; the merge fields under our names for them.
_FIELDS = {
    b"source": "source",
    b"dest": "dest",
    b"msg": "msg",
    b"id": "id",
    b"receivedts": "receivedts",
    b"mmname": "name",
    b"mmemail": "email",
    b"mm1": "1",
    b"mm2": "2",
    b"mm3": "3",
    b"mm4": "4",
    b"mm5": "5",
    # As the page spells them, so that the ordinary forward needs no folding.
    b"MMName": "name",
    b"MMEmail": "email",
    **{b"MM%d" % number: str(number) for number in range(1, 6)},
}

# Escapes by which a name could turn out to be `auth`: of its letters, or a byte order mark.
_HIDDEN_AUTH = re.compile(rb"%(?:[46][18]|[57][45]|[Ee][Ff]%[Bb][Bb]%[Bb][Ff])")


@dataclass(slots=True)
class ForwardRequest:
    """A request taken apart: `raw` to parse and to store, `auth` to compare and to forget.

    `auth` is the first that came, query before body, as bytes; None where none came.
    """

    raw: RawForward
    auth: bytes | None


def read_request(method: str, query: bytes, content_type: bytes, body: bytes) -> ForwardRequest:
    """Take a request apart into name/value bytes, so that `auth` is known before all else.

    Any bytes will do. `query` is without its `?`, `content_type` the header's value or b"".
    Parameters come from the query and from a form, multipart or JSON body of any method.
    """
    if not body and not content_type:
        plain = _read_plain_query(method, query)
        if plain is not None:
            return plain
    pairs = split_form(query)
    charset = None
    if body or content_type:
        body_pairs, charset = split_body(body, content_type)
        pairs += body_pairs
    auth = None
    kept = []
    for pair in pairs:
        if _fold_name(pair[0]) != _AUTH:
            kept.append(pair)
        elif auth is None:
            auth = pair[1]
    raw = RawForward(method, content_type.decode("latin-1"), charset, tuple(kept))
    return ForwardRequest(raw, auth)


def _read_plain_query(method: str, query: bytes) -> ForwardRequest | None:
    """The ordinary GET, where one `auth` stands as it is: the rest is stored as it came."""
    if not query.isascii() or _HIDDEN_AUTH.search(query):
        return None
    padded = b"&" + query
    folded = padded.lower()
    start = folded.find(b"&auth=")
    if start < 0 or folded.count(b"&auth") > 1:
        return None
    value, separator, after = padded[start + len(b"&auth=") :].partition(b"&")
    form = padded[1:start] + separator + after
    auth = unquote(value.replace(b"+", b" "))
    return ForwardRequest(RawForward(method, "", None, tuple(split_form(form)), form), auth)


def parse(
    raw: RawForward, *, zone: ZoneInfo, arrived_at: datetime, nonce: bytes, via: Via = "forward"
) -> InboundMessage:
    """Make the message of a forward; for a replay too, since all it needs is in `raw`.

    Never fails: what is missing or odd is named in `problems`. `zone` is that of `receivedts`;
    `arrived_at` (aware UTC) stands in where that cannot be read. `nonce` tells two texts apart
    that have neither id nor time.
    """
    known, extra, problems = _read_fields(raw)
    merge_fields = {field: known[field] for field in MERGE_FIELDS if field in known}
    provider_id = _require(known, "id", problems)
    source = normalise_number(_require(known, "source", problems) or "")
    dest = normalise_number(_require(known, "dest", problems) or "")
    body = known.get("msg")
    if body is None:
        problems.add("no-msg")
        body = ""
    received_raw = known.get("receivedts")
    received_at, time_problem = read_local(received_raw or "", zone)
    if time_problem is not None:
        problems.add(time_problem)
    return InboundMessage(
        dedupe_key=make_dedupe_key(
            provider_id=provider_id,
            source=source,
            dest=dest,
            body=body,
            received_raw=received_raw,
            merge_fields=merge_fields,
            extra=extra,
            nonce=nonce,
        ),
        provider_id=provider_id,
        source=source,
        dest=dest,
        body=body,
        received_at=received_at or arrived_at,
        received_raw=received_raw,
        arrived_at=arrived_at,
        via=via,
        merge_fields=merge_fields,
        extra=extra,
        problems=sort_problems(problems),
        raw=raw.to_bytes(),
    )


def _read_fields(raw: RawForward) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """The known parameters by field, the others under their own names, and the problems."""
    known: dict[str, str] = {}
    extra: dict[str, str] = {}
    seen: set[str] = set()
    problems: set[str] = set()
    codec = find_codec(raw.charset)
    for name, value in raw.pairs:
        plain = value.isascii() and b"\0" not in value
        text = value.decode("ascii") if plain else decode_text(value, codec, problems)
        field = _FIELDS.get(name) or _FIELDS.get(_fold_name(name))
        if field is None:
            label = decode_text(name, codec, problems)
            if label.lower() in seen:
                problems.add("repeated")
            else:
                seen.add(label.lower())
                extra[label] = text
        elif field in known:
            problems.add("repeated")
        else:
            known[field] = text
    return known, extra, problems


def _require(known: dict[str, str], field: str, problems: set[str]) -> str | None:
    text = known.get(field)
    if text is None or not text.strip():
        problems.add(f"no-{field}")
        return None
    return text


def _fold_name(name: bytes) -> bytes:
    # A byte order mark disappears in decoding: it must not make a stranger of `auth`.
    return name.removeprefix(BYTE_ORDER_MARK).lower()
