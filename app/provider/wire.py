"""The provider's wire format: the form that carries a call, and the plain answers to it."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import quote

from app.domain.errors import EmptyAnswer, HtmlAnswer, UnreadableAnswer
from app.domain.fates import Fate
from app.domain.statuses import ProviderStatus, read_status
from app.provider.charsets import decode_text
from app.provider.codes import make_code_error
from app.provider.limits import check_encodable
from app.provider.quoting import clip

DONE = "1"

# Every code of the page has three digits.
CODE = re.compile(r"-[0-9]{3}")
ID = re.compile(r"[1-9][0-9]{0,63}")
_AMOUNT = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?")
_STATUS_WORD = re.compile(r"[A-Za-z][A-Za-z _-]{0,63}")


@dataclass(frozen=True, slots=True)
class Form:
    """One call: the action and its parameters, in the page's order and without the token.

    `shows_errors` asks for the text of an error beneath its code. `secrets` are values that no
    error may repeat. Values stay out of the repr.
    """

    action: str
    pairs: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    shows_errors: bool = True
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        check_encodable(value for _, value in self.pairs)


def encode_form(form: Form, token: str) -> bytes:
    """The body of the POST: UTF-8, percent-encoded, a space as %20 as in the page's examples."""
    pairs = [("Token", token), ("Action", form.action)]
    if form.shows_errors:
        pairs.append(("ShowErrorMessage", "1"))
    pairs.extend(form.pairs)
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs).encode("ascii")


def decode_answer(data: bytes) -> str:
    """The text of bytes in no named charset: as a forward is read, so that the two compare."""
    return decode_text(data, None, set()).removeprefix("\ufeff")


def read_body(data: bytes) -> str:
    """The trimmed text of an answer. Raises EmptyAnswer and HtmlAnswer."""
    text = decode_answer(data).strip()
    refuse_page(text)
    return text


def refuse_page(text: str) -> None:
    """Raise EmptyAnswer or HtmlAnswer for a trimmed text that is no answer of the API."""
    if not text:
        raise EmptyAnswer("The provider answered nothing at all")
    if text.startswith("<"):
        raise HtmlAnswer("A web page came back instead of the provider's answer")


def refuse_code(text: str, *, fate: Fate | None = None) -> None:
    """Raise the CodeError of an answer whose first line is an error code."""
    lines = text.splitlines()
    if lines and CODE.fullmatch(lines[0].strip()):
        raise make_code_error(int(lines[0]), lines[1:], fate=fate)


def make_unreadable(text: str, wanted: str) -> UnreadableAnswer:
    """The error of an answer that is something else than `wanted`, with its beginning."""
    return UnreadableAnswer(f"The provider answered {clip(text)!r}, which is not {wanted}")


def read_done(text: str) -> None:
    """Read the `1` of an action that only succeeds or fails."""
    refuse_code(text)
    if text != DONE:
        raise make_unreadable(text, "the 1 of success")


def read_balance(text: str) -> Decimal:
    """Read a decimal; commas are taken where they part thousands, and nowhere else."""
    refuse_code(text)
    if not _AMOUNT.fullmatch(text):
        raise make_unreadable(text, "a balance")
    return Decimal(text.replace(",", ""))


def read_status_word(text: str) -> ProviderStatus:
    """Read the status of one message."""
    refuse_code(text)
    if not _STATUS_WORD.fullmatch(text):
        raise make_unreadable(text, "a status")
    return read_status(text)
