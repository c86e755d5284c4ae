"""The provider's forward: any request becomes an inbound message, with its oddities flagged."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_to_bytes
from zoneinfo import ZoneInfo

from app.domain.forms import BYTE_ORDER_MARK, join_form, split_form
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

# As the page spells them: all that an ordinary forward holds.
_ORDINARY = {
    "auth": "auth",
    **{name: name for name in ("source", "dest", "msg", "id", "receivedts")},
    "MMName": "name",
    "MMEmail": "email",
    **{f"MM{number}": str(number) for number in range(1, 6)},
}
_OWN_FIELDS = frozenset({"source", "dest", "msg", "id", "receivedts"})
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
    """The forward as the provider's page has it, in a third of the time; None for any other."""
    if not form.isascii() or b"\0" in form or b"%00" in form:
        return None
    fields: dict[str, str] = {}
    # The escape that every time holds; a colon makes no new escape of what stands around it.
    for piece in form.decode("ascii").replace("+", " ").replace("%3A", ":").split("&"):
        name, _, value = piece.partition("=")
        field = _ORDINARY.get(name)
        if field is None or field in fields:
            return None
        if "%" in value:
            try:
                value = unquote_to_bytes(value).decode()
            except UnicodeDecodeError:
                return None
            if value.startswith("\ufeff"):
                return None
        fields[field] = value
    auth = fields.pop("auth", None)
    if auth is None:
        return None
    padded = b"&" + form
    before, _, rest = padded.partition(b"&auth=")
    _, separator, after = rest.partition(b"&")
    raw = RawForward(method, content_type.decode(), None, before[1:] + separator + after)
    return ForwardRequest(raw, auth.encode(), fields)


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
    arrived_at: datetime,
    nonce: bytes,
    via: Via = "forward",
) -> InboundMessage:
    """Make the message of a forward; for a replay too, since all it needs is in `raw`.

    Never fails: what is missing or odd is named in `problems`. `fields` are those of the request,
    where it knows them. `zone` is that of `receivedts`; `arrived_at` (aware UTC) stands in where
    that cannot be read. `nonce` tells two texts apart that have neither id nor time.
    """
    extra: dict[str, str] = {}
    problems: set[str] = set()
    if fields is None:
        fields, extra, problems = _read_fields(raw)
    provider_id = _require(fields, "id", problems)
    source = normalise_number(_require(fields, "source", problems) or "")
    dest = normalise_number(_require(fields, "dest", problems) or "")
    body = fields.get("msg")
    if body is None:
        problems.add("no-msg")
        body = ""
    received_raw = fields.get("receivedts")
    received_at, time_problem = read_local(received_raw or "", zone)
    if time_problem is not None:
        problems.add(time_problem)
    merge_fields = {}
    if not fields.keys() <= _OWN_FIELDS:
        merge_fields = {field: fields[field] for field in MERGE_FIELDS if field in fields}
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
