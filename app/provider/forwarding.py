"""The provider's forward: any request becomes an inbound message, with its oddities flagged."""

import re
from binascii import a2b_qp
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from app.domain.forms import BYTE_ORDER_MARK, join_form, split_form
from app.domain.messages import (
    InboundMessage,
    RawForward,
    Via,
    make_dedupe_key,
    sort_problems,
)
from app.domain.numbers import normalise_number
from app.domain.times import read_local
from app.provider.bodies import split_body
from app.provider.charsets import decode_text, find_codec

_AUTH = b"auth"

# The provider's page, Inbound Message Forwarding: the names as it spells them.
_OWN_FIELDS = frozenset({"source", "dest", "msg", "id", "receivedts"})
# The merge fields, each with our name for it.
_MERGE_FIELDS = {
    "MMName": "name",
    "MMEmail": "email",
    **{f"MM{number}": str(number) for number in range(1, 6)},
}
# All that an ordinary forward holds.
_ORDINARY = {"auth"} | _OWN_FIELDS | _MERGE_FIELDS.keys()
# By what `_fold_name` makes of them.
_FIELDS = {field.lower().encode(): field for field in (*_OWN_FIELDS, *_MERGE_FIELDS)}
# An escape that is broken, or that makes a NUL.
_ODD_ESCAPE = re.compile(r"%(?!0[1-9A-Fa-f]|[1-9A-Fa-f][0-9A-Fa-f])")
_FORM_TYPE = b"application/x-www-form-urlencoded"


@dataclass(slots=True)
class ForwardRequest:
    """A request taken apart: `raw` to store, `auth` to compare and to forget.

    `auth` is the first that came, query before body, as bytes; None where none came. `fields` are
    the parameters as text, where that was told on the way.
    """

    raw: RawForward
    auth: bytes | None
    fields: dict[str, str] | None = None


def read_request(method: str, query: bytes, content_type: bytes, body: bytes) -> ForwardRequest:
    """Take a request apart, so that `auth` is known before all else.

    Any bytes will do. `query` is without its `?`, `content_type` the header's value or b"".
    Parameters come from the query and from a form, multipart or JSON body of any method.
    """
    if not body and not content_type:
        ordinary = _read_ordinary(method, content_type, query)
    elif not query and content_type == _FORM_TYPE:
        ordinary = _read_ordinary(method, content_type, body)
    else:
        ordinary = None
    return ordinary or _read_any(method, query, content_type, body)


def _read_ordinary(method: str, content_type: bytes, form: bytes) -> ForwardRequest | None:
    """The forward as the provider's page has it, in a quarter of the time; None for any other."""
    try:
        text = form.decode("ascii")
        if "\0" in text or _ODD_ESCAPE.search(text):
            return None
        pieces = text.replace("+", " ").split("&")
        # A piece without a `=`, or with several, makes no pair.
        fields = dict([piece.split("=") for piece in pieces])
        if len(fields) != len(pieces) or not _ORDINARY.issuperset(fields):
            return None
        for name, value in fields.items():
            if "%" in value:
                fields[name] = _unquote(value)
    except ValueError:
        return None
    auth = fields.pop("auth", None)
    if auth is None:
        return None
    padded = b"&" + form
    before, _, rest = padded.partition(b"&auth=")
    _, separator, after = rest.partition(b"&")
    raw = RawForward(method, content_type.decode(), None, before[1:] + separator + after)
    return ForwardRequest(raw, auth.encode(), fields)


def _unquote(value: str) -> str:
    """Resolve escapes, all of them sound. Raises ValueError for what does not begin as plain UTF-8.

    Quoted-printable has the same escapes but for the sign, and its reader is written in C: it takes
    a fifth of `unquote_to_bytes`'s time. A `=` in the value would be an escape, too.
    """
    text = a2b_qp(value.replace("%", "=")).decode()
    if text.startswith("\ufeff"):
        raise ValueError(value)
    return text


def _read_any(method: str, query: bytes, content_type: bytes, body: bytes) -> ForwardRequest:
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
    raw = RawForward(method, content_type.decode("latin-1"), charset, join_form(kept))
    return ForwardRequest(raw, auth)


def parse(
    raw: RawForward,
    fields: dict[str, str] | None = None,
    *,
    zone: ZoneInfo,
    region: str,
    arrived_at: datetime,
    nonce: bytes,
    via: Via = "forward",
) -> InboundMessage:
    """Make the message of a forward; for a replay too, since all it needs is in `raw`.

    Never fails: what is missing or odd is named in `problems`. `fields` are those of the request,
    where it knows them. `zone` is that of `receivedts`; `arrived_at` (aware UTC) stands in where
    that cannot be read. `region` is that of national numbers. `nonce` tells two texts apart that
    have neither id nor time.
    """
    extra: dict[str, str] = {}
    problems: set[str] = set()
    if fields is None:
        fields, extra, problems = _read_fields(raw)
    provider_id = _require(fields, "id", problems)
    source = normalise_number(_require(fields, "source", problems) or "", region)
    dest = normalise_number(_require(fields, "dest", problems) or "", region)
    body = fields.get("msg")
    if body is None:
        problems.add("no-msg")
        body = ""
    received_raw = fields.get("receivedts")
    received_at, time_problem = read_local(received_raw or "", zone)
    if time_problem is not None:
        problems.add(time_problem)
    merge_fields = {}
    if not _OWN_FIELDS.issuperset(fields):
        merge_fields = {
            ours: fields[name] for name, ours in _MERGE_FIELDS.items() if name in fields
        }
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
        field = _FIELDS.get(_fold_name(name))
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
