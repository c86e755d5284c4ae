"""The addresses at which the pages may be opened; forms from others are refused."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.domain.errors import AccessDenied

SAME = "same-origin"


class Origins:
    """The addresses of this service.

    If PUBLIC_URL is set, it is the only one. If not, `localhost` and IP addresses are accepted, but
    no other host names: anyone can point a name at this machine and have a browser send forms from
    there.
    """

    def __init__(self, public_url: str, base_url: str) -> None:
        self._only = _make_origin(public_url) if public_url else None
        self._own = _make_origin(base_url)
        self.is_https = self._own.startswith("https://")

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether forms are accepted at the address at which the page was opened.

        With PUBLIC_URL only `check` can tell: proxies may put anything into Host.
        """
        host = headers.get("host", "").lower()
        return self._only is not None or f"http://{host}" == self._own or _is_no_name(host)

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises AccessDenied unless, according to the browser, the request is from our form."""
        site = headers.get("sec-fetch-site")
        origin = headers.get("origin")
        if site not in {None, SAME} or origin == "null":
            raise AccessDenied("the form came from another site's page, so nothing was done")
        if origin is None and site is None:
            raise AccessDenied(
                "the browser did not say which page the form is of (no Origin header), so nothing"
                " was done; use another browser, or the REST interface from a program"
            )
        if not self.knows(headers) or (origin is not None and not self._is_ours(origin, headers)):
            raise AccessDenied(self.explain(headers))

    def explain(self, headers: Mapping[str, str]) -> str:
        """What to do where `knows` is false."""
        here = headers.get("origin") or headers.get("host", "another address")
        opened = f"but this page was opened at {here}, and forms from there are refused:"
        advice = "set LETTERBOX_PUBLIC_URL to the address that people use"
        if self._only is None:
            # Our own address is a local one, of no use to whoever reads this.
            return f"No LETTERBOX_PUBLIC_URL is set, {opened} {advice}"
        return f"Letterbox calls itself {self._only}, {opened} open {self._only}, or {advice}"

    def _is_ours(self, origin: str, headers: Mapping[str, str]) -> bool:
        if self._only is not None:
            return origin == self._only
        # Through a tunnel the browser may use https although we see http.
        return urlsplit(origin).netloc == headers.get("host", "").lower()


def _make_origin(url: str) -> str:
    """Scheme, host and a port that is not the scheme's own, as browsers write an Origin."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, default} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _is_no_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
