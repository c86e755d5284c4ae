"""The inbound message: its fields, its problems, and the key that redeliveries share."""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, get_args

from app.domain.inbound.urlencoded import Parameter, split_form

Via = Literal["forward", "spool", "report"]

# Every code that `problems` may hold, in the order in which they are listed.
Problem = Literal[
    "charset",
    "control",
    "time",
    "time-ambiguous",
    "no-id",
    "no-source",
    "no-dest",
    "no-msg",
    "unknown-number",
    "id-reused",
    "repeated",
]
PROBLEMS: tuple[Problem, ...] = get_args(Problem)

MERGE_FIELDS = ("name", "email", "1", "2", "3", "4", "5")

_DEDUPE_VERSION = "1"
# Of each kind; a batch of handling needs fewer.
KEPT_KEYS = 2048


@lru_cache(maxsize=128)
def _encode_head(
    method: str, content_type: str, charset: str | None, problems: tuple[str, ...]
) -> bytes:
    more = [problems] if problems else []
    return json.dumps([method, content_type, charset, *more]).encode() + b"\n"


# None of the three is frozen: each forward creates one of each, and a frozen dataclass takes three
# times as long to fill.
@dataclass(slots=True)
class RawForward:
    """The request's parameters without the secret: enough to parse it again.

    `form` is the urlencoded form of all parameters in order of arrival, query before body, without
    any `auth` (in any case); unchanged if the request came as one form. `charset` is the declared
    one; None if none was declared, or if the values were converted to UTF-8 (JSON, multipart).
    `problems` are those that the original bytes showed and the form does not.
    """

    method: str
    content_type: str
    charset: str | None
    form: bytes
    problems: tuple[str, ...] = ()

    @property
    def pairs(self) -> list[Parameter]:
        """The decoded name/value bytes."""
        return split_form(self.form)

    @property
    def texts(self) -> list[tuple[str, str]]:
        """The names and values as UTF-8, each byte that is none as \\xNN."""
        return [(_show_bytes(name), _show_bytes(value)) for name, value in self.pairs]

    def to_bytes(self) -> bytes:
        """A line of JSON (method, content type, charset, problems if any), then the form."""
        head = _encode_head(self.method, self.content_type, self.charset, self.problems)
        return head + self.form

    @classmethod
    def from_bytes(cls, data: bytes) -> "RawForward":
        head, _, form = data.partition(b"\n")
        method, content_type, charset, *problems = json.loads(head)
        return cls(method, content_type, charset, form, tuple(*problems))


def _show_bytes(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


@dataclass(slots=True)
class InboundMessage:
    """One text as it is stored.

    `source` and `dest` are normalised (see `domain/numbers.py`), "" if missing.
    `problems` is in the order of `PROBLEMS`. Times are aware UTC. `raw` is `RawForward.to_bytes()`.
    """

    dedupe_key: bytes
    provider_id: str | None
    source: str
    dest: str
    body: str
    received_at: datetime
    received_raw: str | None
    arrived_at: datetime
    via: Via
    merge_fields: dict[str, str]
    extra: dict[str, str]
    problems: tuple[str, ...]
    raw: bytes

    def to_record(self) -> bytes:
        """The spool's form of a message; `from_record` reads it back.

        Compact: JSON's escapes would turn one byte into six.
        """
        fields = {
            "dedupe_key": self.dedupe_key.hex(),
            "provider_id": self.provider_id,
            "source": self.source,
            "dest": self.dest,
            "body": self.body,
            "received_at": self.received_at.isoformat(),
            "received_raw": self.received_raw,
            "arrived_at": self.arrived_at.isoformat(),
            "merge_fields": self.merge_fields,
            "extra": self.extra,
            "problems": self.problems,
            "raw_base64": base64.b64encode(self.raw).decode(),
        }
        return json.dumps(fields, ensure_ascii=False).encode(errors="surrogatepass")

    @classmethod
    def from_record(cls, record: bytes) -> "InboundMessage":
        fields = json.loads(record)
        return cls(
            dedupe_key=bytes.fromhex(fields["dedupe_key"]),
            provider_id=fields["provider_id"],
            source=fields["source"],
            dest=fields["dest"],
            body=fields["body"],
            received_at=datetime.fromisoformat(fields["received_at"]).astimezone(UTC),
            received_raw=fields["received_raw"],
            arrived_at=datetime.fromisoformat(fields["arrived_at"]).astimezone(UTC),
            via="spool",
            merge_fields=fields["merge_fields"],
            extra=fields["extra"],
            problems=tuple(fields["problems"]),
            raw=_read_raw(fields),
        )


@dataclass(slots=True)
class StoredMessage:
    """A stored message as handling, rules and reconciliation see it.

    `problems` are codes separated by spaces; `read_at` is None while it is unread.
    """

    id: int
    provider_id: str | None
    source: str
    dest: str
    body: str
    received_at: datetime
    arrived_at: datetime
    via: str
    merge_fields: dict[str, str]
    problems: str
    read_at: datetime | None

    @property
    def name(self) -> str:
        return self.merge_fields.get("name", "")

    @property
    def pair_key(self) -> bytes:
        """What stands for its conversation."""
        return make_pair_key(self.dest, self.source)

    @property
    def identity_key(self) -> bytes | None:
        """What it shares with messages that the provider gave the same id; None without an id."""
        if not self.provider_id:
            return None
        return make_identity_key(self.dest, self.source, self.provider_id)


def _read_raw(fields: dict[str, Any]) -> bytes:
    """Older releases wrote the bytes as Latin-1, and this one may drain their spools."""
    if "raw" in fields:
        return bytes(fields["raw"], "latin-1")
    return base64.b64decode(fields["raw_base64"], validate=True)


def sort_problems(codes: Iterable[str]) -> tuple[str, ...]:
    """Each code once, in the order of `PROBLEMS`."""
    return tuple(sorted(set(codes), key=PROBLEMS.index)) if codes else ()


def digest_texts(*parts: str) -> bytes:
    """16 bytes of SHA-256 over length-prefixed parts, so that different lists never look alike.

    Half the digest is enough to tell all texts apart, and a third cheaper to index.
    """
    return digest_text("".join([f"{len(part)}:{part}" for part in parts]))


def digest_text(text: str) -> bytes:
    """16 bytes of SHA-256."""
    return hashlib.sha256(text.encode()).digest()[:16]


def make_dedupe_key(
    *,
    provider_id: str | None,
    source: str,
    dest: str,
    body: str,
    received_raw: str | None,
    merge_fields: dict[str, str],
    extra: dict[str, str],
    nonce: bytes,
) -> bytes:
    """At most 48 bytes that are equal for two forwards exactly if they are the same text.

    With an id: number, sender, id and text. Without one also the time, merge fields and extra
    parameters; with neither id nor time also the nonce, because equal texts may then be two texts.
    The id's last characters come first, so that consecutive ids are next to each other in the
    index.
    """
    if provider_id:
        # As `digest_texts` joins them; nearly every forward comes through here.
        text = (
            f"1:{_DEDUPE_VERSION}{len(dest)}:{dest}{len(source)}:{source}{len(body)}:{body}"
            f"2:id{len(provider_id)}:{provider_id}"
        )
        return provider_id[-8:].encode() + digest_text(text)
    parts = (_DEDUPE_VERSION, dest, source, body)
    fields = json.dumps([merge_fields, extra], sort_keys=True)
    if received_raw:
        return digest_texts(*parts, "time", received_raw, fields)
    return digest_texts(*parts, "nonce", fields, nonce.hex())


# Cached: handling asks for the same keys again and again within a batch. The memory is bounded by
# the lengths of what is stored, 64 KiB at most for each.
@lru_cache(maxsize=KEPT_KEYS)
def make_pair_key(dest: str, source: str) -> bytes:
    """16 bytes that stand for a conversation: one of our numbers and one sender."""
    return digest_texts(dest, source)


@lru_cache(maxsize=KEPT_KEYS)
def make_number_key(number: str) -> bytes:
    """16 bytes that stand for a source or dest of any length in an index."""
    return digest_texts(number)


def make_provider_key(provider_id: str | None) -> bytes | None:
    """16 bytes that stand for the provider's id in an index; None for a message without one."""
    return digest_texts(provider_id) if provider_id else None


@lru_cache(maxsize=KEPT_KEYS)
def make_identity_key(dest: str, source: str, provider_id: str) -> bytes:
    """16 bytes that two messages share if the provider gave them the same id."""
    return digest_texts(dest, source, provider_id)
