"""The proxies and certificates that the environment names, which may be unusable."""

from typing import Any
from urllib.request import getproxies

import httpx2

MOST_PORT = 65535


def open_client(**options: Any) -> tuple[httpx2.AsyncClient, str]:
    """The client, and what is wrong with the environment if no call can be made as it asks."""
    fault = "" if options["transport"] is not None else _find_proxy_fault()
    if not fault:
        try:
            return httpx2.AsyncClient(**options), ""
        except OSError as error:
            reason = error.strerror or str(error)
            fault = f"SSL_CERT_FILE names no certificates that can be read ({reason}): correct it"
        except (httpx2.InvalidURL, ValueError):
            fault = "NO_PROXY is not a list of hosts: write it like localhost,192.0.2.1"
    return httpx2.AsyncClient(**options, trust_env=False), fault


def _find_proxy_fault() -> str:
    """It repeats no proxy's URL, which may hold a password."""
    for scheme in ("http", "https", "all"):
        url = getproxies().get(scheme, "")
        name = f"{scheme.upper()}_PROXY"
        if url.lower().startswith("socks"):
            return f"{name}: SOCKS proxies are not supported; name an http proxy, or unset it"
        if url and not _is_proxy(url if "://" in url else f"http://{url}"):
            return f"{name} is not the URL of a proxy: write it like http://proxy.example.com:3128"
    return ""


def _is_proxy(url: str) -> bool:
    try:
        found = httpx2.Proxy(url).url
    except (httpx2.InvalidURL, ValueError):
        return False
    return bool(found.host) and (found.port or 0) <= MOST_PORT
