"""What an HTTP status other than 200 says of a call."""

from email.utils import parsedate_to_datetime

import httpcore2

from app.domain.provider_errors import StatusAnswer, TooManyCalls, TurnedAway
from app.provider.quoting import clip

_OK = 200
_TOO_MANY_CALLS = 429
# The API always answers 200, so other statuses from 300 to 499 come from a web server or proxy that
# turned the call away; these do not prove that. 511 is a network that wants a sign-in (RFC 6585).
_MAY_BE_TAKEN = frozenset({408, 409, 499})
_SIGN_IN_FIRST = 511
_ADVICE = {
    401: "it asks for a user name and password, which the API never does: check its URL",
    403: "it refuses this machine: ask the provider whether this address may call the API,"
    " and look for a firewall or proxy between",
    407: "a proxy requires a user name and password: add them to the proxy's URL",
    511: "this network requires a sign-in before it lets calls through",
}


def find_header(response: httpcore2.Response, wanted: bytes) -> str:
    found = (value for name, value in response.headers if name.lower() == wanted)
    return next(found, b"").decode("latin-1")


def check_status(response: httpcore2.Response) -> None:
    status = response.status
    if status != _OK:
        raise _explain_status(status, response)


def _explain_status(status: int, response: httpcore2.Response) -> StatusAnswer:
    text = f"The provider answered with HTTP status {status} instead of 200"
    if status == _TOO_MANY_CALLS:
        seconds = _read_retry_after(response)
        text += ": it asks for fewer calls"
        return TooManyCalls(text, status=status, retry_after_seconds=seconds)
    is_refusal = 300 <= status < 500 and status not in _MAY_BE_TAKEN
    if not is_refusal and status != _SIGN_IN_FIRST:
        return StatusAnswer(text, status=status)
    if status < 400 and (target := find_header(response, b"location")):
        text += f" and leads to {clip(target.partition('?')[0])!r}"
    advice = _ADVICE.get(status, "check its URL")
    return TurnedAway(f"{text}: {advice}", status=status)


def _read_retry_after(response: httpcore2.Response) -> float | None:
    """Seconds; a date is compared with the server's own clock."""
    value = find_header(response, b"retry-after").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
        asked_at = parsedate_to_datetime(find_header(response, b"date"))
        return max(0.0, (until - asked_at).total_seconds())
    except (TypeError, ValueError):
        return None
