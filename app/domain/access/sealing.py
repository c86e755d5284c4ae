"""Seals a short text, so that only processes that share a secret can read what a browser keeps.

HMAC-SHA256 in counter mode, with a nonce that is never used twice, and an HMAC over all of it.
"""

import base64
import hmac
import secrets

NONCE_BYTES = 16
MARK_BYTES = 32


def seal(secret: str, purpose: str, text: str) -> str:
    """The text in a form that is safe in a cookie; `purpose` must be the same for `unseal`."""
    data = text.encode()
    nonce = secrets.token_bytes(NONCE_BYTES)
    hidden = _mix(_make_key(secret, purpose, "hide"), nonce, data)
    mark = hmac.digest(_make_key(secret, purpose, "mark"), nonce + hidden, "sha256")
    return base64.urlsafe_b64encode(nonce + mark + hidden).decode().rstrip("=")


def unseal(secret: str, purpose: str, sealed: str) -> str | None:
    """What was sealed; None for anything that was not, or for another purpose."""
    try:
        data = base64.urlsafe_b64decode(f"{sealed}==")
    except ValueError:
        return None
    nonce, rest = data[:NONCE_BYTES], data[NONCE_BYTES:]
    mark, hidden = rest[:MARK_BYTES], rest[MARK_BYTES:]
    right = hmac.digest(_make_key(secret, purpose, "mark"), nonce + hidden, "sha256")
    if not hmac.compare_digest(mark, right):
        return None
    return _mix(_make_key(secret, purpose, "hide"), nonce, hidden).decode()


def _make_key(secret: str, purpose: str, use: str) -> bytes:
    return hmac.digest(secret.encode(), f"letterbox {use} {purpose}".encode(), "sha256")


def _mix(key: bytes, nonce: bytes, data: bytes) -> bytes:
    blocks = range(0, len(data), 32)
    stream = b"".join(
        hmac.digest(key, nonce + place.to_bytes(8, "big"), "sha256") for place in blocks
    )
    return bytes(each ^ hiding for each, hiding in zip(data, stream, strict=False))
