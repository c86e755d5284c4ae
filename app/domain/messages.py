"""The inbound message: its fields, its problems, and the key that unites redeliveries."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Via = Literal["forward", "spool", "report"]

# Every code that `problems` may hold, in the order in which they are listed.
PROBLEMS = (
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
)

MERGE_FIELDS = ("name", "email", "1", "2", "3", "4", "5")

_DEDUPE_VERSION = b"1"

# As `json.dumps` writes it, at half the cost: no list here can contain itself.
_encode_json = json.JSONEncoder(check_circular=False).encode

# What people write between a number's digits: deleted by `str.translate`.
_NUMBER_PUNCTUATION = dict.fromkeys(map(ord, " \t-().\u00a0"))


@dataclass(frozen=True, slots=True)
class RawForward:
    """What came over the wire, without the secret: enough to parse it again.

    `pairs` are the decoded name/value bytes in order of arrival, query before body, every `auth`
    (whatever its case) cut out. `charset` is the one that the request declared for them; None
    where it declared none, or where they were brought to UTF-8 on the way (JSON, multipart).
    """

    method: str
    content_type: str
    charset: str | None
    pairs: tuple[tuple[bytes, bytes], ...]

    def to_bytes(self) -> bytes:
        """JSON with each byte as the Latin-1 character of its number: any bytes survive."""
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.pairs]
        return _encode_json([self.method, self.content_type, self.charset, pairs]).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "RawForward":
        method, content_type, charset, pairs = json.loads(data)
        return cls(
            method,
            content_type,
            charset,
            tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs),
        )


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One text as it is stored.

    `source` and `dest` are normalised (see `normalise_number`), "" where they did not come.
    `problems` is sorted as `PROBLEMS` is. Times are aware UTC. `raw` is `RawForward.to_bytes()`.
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
        """The spool's form of a message; `from_record` reads it back."""
        return json.dumps(
            {
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
                "raw": self.raw.decode("latin-1"),
            },
        ).encode()

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
            raw=fields["raw"].encode("latin-1"),
        )


def sort_problems(codes: Iterable[str]) -> tuple[str, ...]:
    """Each code once, in the order of `PROBLEMS`."""
    return tuple(sorted(set(codes), key=PROBLEMS.index)) if codes else ()


def digest_parts(*parts: bytes) -> bytes:
    """SHA-256 over length-prefixed parts, so that no two lists of parts look alike."""
    return hashlib.sha256(b"".join([b"%d:%b" % (len(part), part) for part in parts])).digest()


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
    """32 bytes that are equal for two forwards exactly where they are the same text.

    With an id: number, sender, id and text. Without one also the time, merge fields and extra
    parameters; with neither id nor time also the nonce, for two texts alike may then be two texts.
    """
    parts = [_DEDUPE_VERSION, dest.encode(), source.encode(), body.encode()]
    if provider_id:
        return digest_parts(*parts, b"id", provider_id.encode())
    fields = json.dumps([merge_fields, extra], sort_keys=True).encode()
    if received_raw:
        return digest_parts(*parts, b"time", received_raw.encode(), fields)
    return digest_parts(*parts, b"nonce", fields, nonce)


def make_pair_key(dest: str, source: str) -> bytes:
    """32 bytes that stand for a conversation: one of our numbers and one sender."""
    return digest_parts(dest.encode(), source.encode())


def normalise_number(text: str) -> str:
    """Digits alone for a full number (no `+`, spaces, leading `00`); anything else as it came.

    A full number is one in international form: 8 to 15 digits that do not begin with 0 once the
    prefix is gone. Alphanumeric senders, short codes and national forms stay as they are.
    """
    if _is_full_number(text):  # as the provider writes them
        return text
    compact = text.strip().translate(_NUMBER_PUNCTUATION)
    digits = compact.removeprefix("00" if compact.startswith("00") else "+")
    return digits if _is_full_number(digits) else text


def _is_full_number(text: str) -> bool:
    return text.isdigit() and 8 <= len(text) <= 15 and text.isascii() and text[0] != "0"


def make_number_key(number: str) -> bytes:
    """16 bytes that stand for a source or dest of any length in an index."""
    return digest_parts(number.encode())[:16]


def make_identity_key(dest: str, source: str, provider_id: str) -> bytes:
    """16 bytes that two messages share where the provider gave them the same id."""
    return digest_parts(dest.encode(), source.encode(), provider_id.encode())[:16]


def fold_text(text: str) -> str:
    """How texts are compared without case, in the search index as in a query."""
    return text.casefold()
