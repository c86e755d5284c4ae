"""The ids that programs see: opaque text with a prefix for the kind of row."""

from typing import Literal

from app.domain.errors import NotFound

Prefix = Literal[
    "msg",
    "cnv",
    "evt",
    "aut",
    "key",
    "ref",
    "alr",
    "rul",
    "aud",
    "out",
    "mem",
    "not",
    "ntf",
    "bat",
    "rep",
    "whk",
    "dlv",
    "era",
]

# Crockford's: no letter that looks like a digit.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
# The largest that a database can store.
LAST_ID = 2**63 - 1
_MAX_LENGTH = 13

# Audited actions whose subject is a row; other subjects are numbers or names.
_SUBJECTS: dict[str, Prefix] = {
    "rule.create": "rul",
    "rule.change": "rul",
    "rule.remove": "rul",
    "key.create": "key",
    "key.change": "key",
    "key.revoke": "key",
    "webhook.add": "whk",
    "webhook.change": "whk",
    "webhook.enable": "whk",
    "webhook.disable": "whk",
    "webhook.remove": "whk",
    "webhook.rotate-secret": "whk",
    "webhook.replay": "whk",
    "webhook.test": "whk",
    "message.remove": "msg",
    "message.replay": "msg",
    "member.add": "mem",
    "member.invite": "mem",
    "member.link": "mem",
    "member.password": "mem",
    "member.rename": "mem",
    "member.role": "mem",
    "member.activate": "mem",
    "member.deactivate": "mem",
    "batch.send": "bat",
    "batch.cancel": "bat",
    "saved-reply.create": "rep",
    "saved-reply.change": "rep",
    "saved-reply.remove": "rep",
    "outbound.create": "out",
    "outbound.change": "out",
    "outbound.cancel": "out",
    "outbound.attend": "out",
    "outbound.resolve": "out",
    "conversation.done": "cnv",
    "conversation.open": "cnv",
    "conversation.assign": "cnv",
    "conversation.note": "cnv",
}


def encode_id(prefix: Prefix, number: int) -> str:
    """`msg_1q` for the row 58 of the messages."""
    digits = ""
    while number or not digits:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return f"{prefix}_{digits}"


def decode_id(prefix: Prefix, text: str) -> int:
    """The row's number. Raises NotFound for anything that `encode_id` did not make."""
    digits = text.removeprefix(f"{prefix}_")
    if digits == text or not 0 < len(digits) <= _MAX_LENGTH or not _VALUES.keys() >= set(digits):
        raise NotFound(f"not a valid {prefix}_ id")
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _VALUES[digit]
    if number > LAST_ID or encode_id(prefix, number) != text:
        raise NotFound(f"not a valid {prefix}_ id")
    return number


def find_number(prefix: Prefix, text: str | None) -> int | None:
    """The row's number; 0, which no row has, for an invalid id."""
    try:
        return None if text is None else decode_id(prefix, text)
    except NotFound:
        return 0


def encode_subject(action: str, subject: str) -> str:
    """The subject of an audited action as programs see it."""
    prefix = _SUBJECTS.get(action)
    return subject if prefix is None else encode_id(prefix, int(subject))
