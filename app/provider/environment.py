"""The proxies and certificates that the environment names, which may be unusable."""

import ssl
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx2

from app.network.sockets import SocketBackend

MOST_PORT = 65535


def open_pool(
    url: httpx2.URL, tls: ssl.SSLContext | None, *, connections: int, keepalive_seconds: float
) -> tuple[httpcore2.AsyncConnectionPool | None, str]:
    """Connections to a server; or what is wrong with the environment if there can be none.

    TLS is verified against the system's store, unless `tls` is given.
    """
    fault = _find_proxy_fault()
    if fault:
        return None, fault
    proxy = _find_proxy(url)
    try:
        # Reading the certificates takes a while: only where they are needed.
        if tls is None and "https" in (url.scheme, proxy and proxy.url.scheme):
            tls = httpcore2.default_ssl_context()
    except OSError as error:
        reason = error.strerror or str(error)
        fault = f"SSL_CERT_FILE names no certificates that can be read ({reason}): correct it"
        return None, fault
    pool = httpcore2.AsyncConnectionPool(
        ssl_context=tls,
        proxy=None if proxy is None else _describe_proxy(proxy, tls),
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=keepalive_seconds,
        network_backend=SocketBackend(),
    )
    return pool, ""


def _find_proxy(url: httpx2.URL) -> httpx2.Proxy | None:
    """The proxy for calls to this address, unless NO_PROXY excepts it."""
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    port = url.port or (443 if url.scheme == "https" else 80)
    if not found or proxy_bypass(f"{url.host}:{port}"):
        return None
    return httpx2.Proxy(_complete(found))


def _describe_proxy(proxy: httpx2.Proxy, tls: ssl.SSLContext | None) -> httpcore2.Proxy:
    url = httpcore2.URL(
        scheme=proxy.url.raw_scheme,
        host=proxy.url.raw_host,
        port=proxy.url.port,
        target=proxy.url.raw_path,
    )
    is_secure = proxy.url.scheme == "https"
    return httpcore2.Proxy(url, auth=proxy.raw_auth, ssl_context=tls if is_secure else None)


def _find_proxy_fault() -> str:
    """It repeats no proxy's URL, which may hold a password."""
    for scheme in ("http", "https", "all"):
        url = getproxies().get(scheme, "")
        name = f"{scheme.upper()}_PROXY"
        if url.lower().startswith("socks"):
            return f"{name}: SOCKS proxies are not supported; name an http proxy, or unset it"
        if url and not _is_proxy(_complete(url)):
            return f"{name} is not the URL of a proxy: write it like http://proxy.example.com:3128"
    return ""


def _complete(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _is_proxy(url: str) -> bool:
    try:
        found = httpx2.Proxy(url).url
    except (httpx2.InvalidURL, ValueError):
        return False
    return bool(found.host) and (found.port or 0) <= MOST_PORT
