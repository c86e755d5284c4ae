"""The provider's wire format: the form that carries a call, and the plain answers to it."""

import html
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import quote

from app.domain.outbound.statuses import ProviderStatus, read_status
from app.domain.provider_errors import EmptyAnswer, HtmlAnswer, UnreadableAnswer
from app.provider.codes import make_code_error
from app.provider.forwards.charsets import decode_text
from app.provider.limits import check_encodable
from app.provider.quoting import clip

DONE = "1"

# Every code of the page has three digits.
CODE = re.compile(r"-[0-9]{3}")
ID = re.compile(r"0*[1-9][0-9]{0,63}")
_AMOUNT = re.compile(
    r"(?:[£$€]|(?:credits?|balance)[ :=]+)?\s*"
    r"(-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?)(?:\s*credits?)?",
    re.IGNORECASE,
)
_STATUS_WORD = re.compile(r"[A-Za-z][^\n<>]{0,63}")
# A code alone, perhaps with a word before it and a separator left over; or with its text on the
# same line.
_CODE_LINE = re.compile(
    r"(?:error(?: code)?[\s:=]*)?[(\[]?(-[0-9]{3})\s*"
    r"(?:[,;.!)\]]+\s*|[\s:|(\u2013-]+(?=[A-Za-z])([^\n]*))?",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\r\n|\r|\n|<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
# All white space, and invisible characters.
_AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u2060\ufeff"
_QUOTES = "\"'“”"
_STRAIGHT = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\uff02", '"'))


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
    """Decode bytes of no named charset as a forward is decoded, so that the two can be compared."""
    return decode_text(data, None, set()).removeprefix("\ufeff")


def read_body(data: bytes) -> str:
    """The trimmed text of an answer. Raises EmptyAnswer and HtmlAnswer."""
    return read_text(decode_answer(data))


def read_text(text: str) -> str:
    """The same for an answer that is already text.

    A code inside HTML or XML tags is unpacked.
    """
    text = text.strip(_AROUND)
    if not text:
        raise EmptyAnswer("The provider answered nothing at all")
    if text.startswith("<"):
        inner = html.unescape(_TAG.sub("\n", text)).strip(_AROUND)
        if _find_code(split_lines(inner)) is None:
            raise HtmlAnswer("A web page came back instead of the provider's answer")
        return inner
    return text


def split_lines(text: str) -> list[str]:
    """The lines of an answer, with any line ending."""
    return [line.strip(_AROUND) for line in _LINE_END.split(text)]


def unquote(text: str) -> str:
    """A single value without surrounding quotes and separators."""
    return text.strip(_AROUND + ",;").strip(_QUOTES).strip(_AROUND)


def find_code(line: str) -> tuple[int, str] | None:
    """The code of a line, and the text next to it."""
    match = _CODE_LINE.fullmatch(line.strip(_QUOTES))
    return None if match is None else (int(match[1]), (match[2] or "").strip(" )"))


def _find_code(lines: list[str]) -> tuple[int, list[str]] | None:
    """The code in the first line, with its text."""
    found = find_code(lines[0])
    if found is None:
        return None
    return found[0], [html.unescape(line) for line in (found[1], *lines[1:]) if line]


def refuse_code(text: str) -> None:
    """Raise the CodeError of an answer whose first line is an error code; it may be in JSON."""
    found = _find_json_code(text) if text.startswith("{") else _find_code(split_lines(text))
    if found is not None:
        raise make_code_error(found[0], found[1])


def _find_json_code(text: str) -> tuple[int, list[str]] | None:
    """Documented for one action; others may use this form too."""
    answer = read_json(text)
    code = str(answer.get("error", "")) if isinstance(answer, dict) else ""
    if not isinstance(answer, dict) or not CODE.fullmatch(code):
        return None
    return int(code), [str(answer.get("message") or "")]


def read_json(text: str) -> object:
    """The parsed JSON, or None; also with curly quotes, as in the documentation, or escaped."""
    for written in (text, html.unescape(text).translate(_STRAIGHT)):
        try:
            return json.loads(written, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def make_unreadable(text: str, wanted: str) -> UnreadableAnswer:
    """The error of an answer that is not `wanted`; it quotes the beginning."""
    return UnreadableAnswer(f"The provider answered {clip(text)!r}, which is not {wanted}")


def read_done(text: str) -> None:
    """Read the `1` of an action that only succeeds or fails."""
    refuse_code(text)
    if unquote(_LINE_END.sub("\n", text)) != DONE:
        raise make_unreadable(text, "the 1 of success")


def read_balance(text: str) -> Decimal:
    """Read a decimal; commas are allowed only between thousands."""
    refuse_code(text)
    match = _AMOUNT.fullmatch(unquote(_LINE_END.sub("\n", text)))
    if match is None:
        raise make_unreadable(text, "a balance")
    return Decimal(match[1].replace(",", ""))


def read_status_word(text: str) -> ProviderStatus:
    """Read the status of one message."""
    refuse_code(text)
    word = unquote(html.unescape(_LINE_END.sub("\n", text)))
    if not _STATUS_WORD.fullmatch(word):
        raise make_unreadable(text, "a status")
    return read_status(word)
