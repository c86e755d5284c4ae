"""What one forward of an inbound text looks like on the wire: parameters, their form and URL."""

import json
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx2

from app.simulator.actions.phones import looks_numeric
from app.simulator.state.config import ListEntry, NumberConfig
from app.simulator.state.incoming import IncomingText, merge_fields
from app.simulator.state.switches import Switches

_RECEIVED = "%Y-%m-%d %H:%M:%S"
_NO_FIELDS = dict.fromkeys(("MMName", "MMEmail", "MM1", "MM2", "MM3", "MM4", "MM5"), "")
_BOUNDARY = "simulator-7d1f6c2a"


def list_parameters(
    text: IncomingText,
    number: NumberConfig,
    entries: tuple[ListEntry, ...] | None,
    switches: Switches,
) -> dict[str, str]:
    """The parameters of the provider's page, *Inbound Message HTTP Forwarding*, in its order.

    `entries` are those of the number's list, None where it has none.
    """
    local = text.received_at.astimezone(ZoneInfo(switches.forward_zone))
    parameters = {
        "source": _write_number(text.source, switches),
        "dest": _write_number(text.dest, switches),
        "msg": text.body,
        "id": str(text.id),
        "receivedts": local.strftime(_RECEIVED),
        "auth": number.auth,
    }
    if switches.forward_names != "lower":
        change = str.upper if switches.forward_names == "upper" else str.title
        parameters = {change(name): value for name, value in parameters.items()}
    if entries is not None:
        fields = merge_fields(entries, text.source)
        if fields is None and switches.forward_unlisted_fields:
            fields = _NO_FIELDS
        parameters |= fields or {}
    return parameters


def build_request(
    url: str, method: str, parameters: dict[str, str], switches: Switches
) -> httpx2.Request:
    """The HTTP request that carries the parameters; `method` is GET or POST.

    Characters that the switched charset lacks become question marks, as cheap gateways do it.
    """
    charset = switches.forward_charset
    encoded = urlencode(parameters, encoding=charset, errors="replace")
    if method == "GET" or switches.forward_content == "query":
        joint = "&" if "?" in url else "?"
        return httpx2.Request(method, f"{url}{joint}{encoded}")
    if switches.forward_content == "json":
        content = json.dumps(parameters, ensure_ascii=False).encode(charset, errors="replace")
        return _post(url, "application/json", content)
    if switches.forward_content == "multipart":
        content = _write_multipart(parameters).encode(charset, errors="replace")
        return _post(url, f"multipart/form-data; boundary={_BOUNDARY}", content)
    return _post(url, "application/x-www-form-urlencoded", encoded.encode("ascii"))


def _post(url: str, content_type: str, content: bytes) -> httpx2.Request:
    return httpx2.Request("POST", url, headers={"content-type": content_type}, content=content)


def _write_multipart(parameters: dict[str, str]) -> str:
    fields = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parameters.items()
    )
    return "".join(fields) + f"--{_BOUNDARY}--\r\n"


def _write_number(number: str, switches: Switches) -> str:
    return f"+{number}" if switches.forward_plus and looks_numeric(number) else number
