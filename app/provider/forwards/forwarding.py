"""Turns any request into an inbound message, and flags what is odd about it."""

import re
from binascii import a2b_qp
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from string import whitespace
from typing import Literal
from unicodedata import normalize
from zoneinfo import ZoneInfo

from app.domain.inbound.messages import (
    InboundMessage,
    RawForward,
    Via,
    make_dedupe_key,
    sort_problems,
)
from app.domain.inbound.urlencoded import join_form
from app.domain.numbers import normalise_number
from app.domain.times import read_local
from app.provider.forwards.bodies import find_loose_auths, inflate, split_body
from app.provider.forwards.charsets import decode_text, find_codec, is_unused
from app.provider.forwards.loose_forms import split_loose_form
from app.provider.forwards.parameters import (
    AUTH,
    FIELDS,
    MAX_NUMBER,
    MERGE_FIELDS,
    OWN_FIELDS,
    fold_name,
)
from app.provider.forwards.redaction import cut_secret, holds_secret

# The parameters of an ordinary forward.
_ORDINARY = {"auth"} | OWN_FIELDS | MERGE_FIELDS.keys()
# An escape that is broken, or that makes a NUL.
_ODD_ESCAPE = re.compile(r"%(?!0[1-9A-Fa-f]|[1-9A-Fa-f][0-9A-Fa-f])")
_FORM_TYPES = frozenset(
    b"application/x-www-form-urlencoded" + charset
    for charset in (b"", b"; charset=UTF-8", b"; charset=utf-8", b";charset=UTF-8")
)
# A form may give its own charset, as browsers fill it in.
_CHARSET = b"_charset_"
# At most this many values of `auth` are tried.
_MAX_AUTHS = 3
# What people paste with a value: quotation marks, the end of a sentence or of a URL, and what
# nobody sees.
_AROUND = (
    "\"'`<>()[]{}.,;:/?#\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u200b\u200e\u200f\u2060\ufeff"
)
# The two encodings of an accented letter in Unicode.
_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


@dataclass(slots=True)
class ForwardRequest:
    """A parsed request: `raw` to store, `auth` to compare and to forget.

    `auth` is the first one, query before body, as bytes; None if there is none. `fields` are the
    parameters as text, if already known. `auths` are the values to try if there is more than
    `auth`, and `dest` is the parameter of that name if `fields` lacks it.
    """

    raw: RawForward
    auth: bytes | None
    fields: dict[str, str] | None = None
    auths: Sequence[bytes] = ()
    dest: bytes = b""

    def read_secrets(self) -> Iterator[bytes]:
        """The values that the caller may mean by `auth`, in the order to try them.

        The value may be in another charset than the configured one, with a differently encoded
        accent, an unescaped `+`, or with spaces, a line end or quotation marks around it.
        """
        auths = self.auths or ((self.auth,) if self.auth else ())
        yield from auths
        for auth in auths:
            text = decode_text(auth, find_codec(self.raw.charset), set())
            plain = text.strip()
            forms = {text, plain, *(normalize(form, plain) for form in _FORMS)}
            forms |= {plain.replace(" ", "+"), plain.strip(_AROUND + whitespace)}
            yield from (form.encode("utf-8", "replace") for form in forms if form)

    def read_dest(self, region: str) -> str:
        """The number that was texted, as `parse` reads it; "" if there is none."""
        if self.fields is not None:
            text = self.fields.get("dest", "")
        else:
            text = decode_text(self.dest, find_codec(self.raw.charset), set())
        return normalise_number(text[:MAX_NUMBER], region)

    def note(self, problem: str) -> "ForwardRequest":
        """The same forward with a problem that the request alone does not show."""
        problems = tuple(sort_problems({*self.raw.problems, problem}))
        dest = self.dest if self.fields is None else self.fields.get("dest", "").encode()
        return replace(self, raw=replace(self.raw, problems=problems), fields=None, dest=dest)

    def forget(self, secret: bytes) -> "ForwardRequest":
        """The same forward without the matching value anywhere else in it."""
        if self.fields is not None:
            text = secret.decode("utf-8", "replace")
            for value in self.fields.values():
                # If escaped twice, it still has escapes in the text.
                is_escaped = "%" in value or "\\" in value
                if text in value or (is_escaped and holds_secret(value.encode(), secret)):
                    break
            else:
                return self
        raw = cut_secret(self.raw, secret)
        return self if raw is self.raw else ForwardRequest(raw, self.auth)


def read_request(
    method: str, query: bytes, content_type: bytes, body: bytes, coding: bytes = b""
) -> ForwardRequest:
    """Split a request into parameters, so that `auth` is known first.

    Accepts any bytes. `query` is without its `?`; `content_type` and `coding` are the values of
    Content-Type and Content-Encoding, or b"". Parameters come from the query and from a form,
    multipart, JSON or XML body of any method. Raises TooLarge for a body that inflates to more than
    64 KiB.
    """
    if not body and not content_type:
        ordinary = _read_ordinary(method, content_type, query)
    elif not query and content_type in _FORM_TYPES and not coding:
        ordinary = _read_ordinary(method, content_type, body.rstrip(b"\r\n"))
    else:
        ordinary = None
    return ordinary or _read_any(method, query, content_type, body, coding)


def _read_ordinary(method: str, content_type: bytes, form: bytes) -> ForwardRequest | None:
    """The forward as the provider documents it, in a quarter of the time; None for any other."""
    try:
        text = form.decode("ascii")
        if "\0" in text or _ODD_ESCAPE.search(text):
            return None
        pieces = text.replace("+", " ").split("&")
        # A piece without a `=`, or with several, raises ValueError.
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
    """Resolve valid escapes. Raises ValueError for anything but UTF-8 without a byte order mark.

    Quoted-printable has the same escapes with another sign, and its decoder in C takes a fifth of
    the time of `unquote_to_bytes`. A `=` in the value would be an escape, too.
    """
    text = a2b_qp(value.replace("%", "=")).decode()
    if text.startswith("\ufeff"):
        raise ValueError(value)
    return text


def _read_any(
    method: str, query: bytes, content_type: bytes, body: bytes, coding: bytes
) -> ForwardRequest:
    problems: set[str] = set()
    pairs = split_loose_form(query, problems)
    charset = None
    if body or content_type:
        body_pairs, charset = split_body(inflate(body, coding, problems), content_type, problems)
        pairs += body_pairs
    auths = []
    dest = None
    kept = []
    for pair in pairs:
        name = fold_name(pair[0])
        if name == AUTH:
            auths.append(pair[1])
            continue
        kept.append(pair)
        if name == b"dest" and dest is None:
            dest = pair[1]
        elif name == _CHARSET and charset is None:
            label = pair[1].decode("latin-1")
            charset = label if find_codec(label) or is_unused(label) else None
    if not auths:
        auths = find_loose_auths(kept)
    raw = RawForward(
        method,
        content_type.decode("latin-1"),
        charset,
        join_form(kept),
        sort_problems(problems),
    )
    tried = list(dict.fromkeys(filter(None, auths)))[:_MAX_AUTHS]
    return ForwardRequest(raw, auths[0] if auths else None, None, tried, dest or b"")


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
    """Make the message of a forward; also for a replay, because all it needs is in `raw`.

    Never fails: `problems` names what is missing or odd. `fields` are the request's, if known.
    `zone` is that of `receivedts`; `arrived_at` (aware UTC) is used if that cannot be read.
    `region` is that of national numbers. `nonce` distinguishes texts with neither id nor time.
    """
    extra: dict[str, str] = {}
    problems: set[str] = set()
    if fields is None:
        fields, extra, problems = _read_fields(raw)
        problems.update(raw.problems)
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
    if not OWN_FIELDS.issuperset(fields):
        merge_fields = {ours: fields[name] for name, ours in MERGE_FIELDS.items() if name in fields}
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
    problems = {"charset"} if is_unused(raw.charset) else set()
    codec = find_codec(raw.charset)
    for name, value in raw.pairs:
        plain = value.isascii() and b"\0" not in value
        text = value.decode("ascii") if plain else decode_text(value, codec, problems)
        field = FIELDS.get(fold_name(name))
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
