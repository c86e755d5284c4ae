"""Secrets that the service must read again, encrypted for the database.

A stream of HMAC-SHA256 over a counter, and a second HMAC over the result: encrypt, then
authenticate, from the standard library (docs/decisions has the reasons).
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from app.domain.errors import Unreadable

_NONCE_BYTES = 16
_TAG_BYTES = 32
_BLOCK_BYTES = 32
_PURPOSE = b"letterbox sealed secret 1:"


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals with keys derived from `master`, which all processes share."""

    master: str = field(repr=False)

    def seal(self, text: str, *, nonce: bytes | None = None) -> bytes:
        """The text as the database keeps it; each time another."""
        nonce = secrets.token_bytes(_NONCE_BYTES) if nonce is None else nonce
        hidden = nonce + self._mix(text.encode(), nonce)
        return hidden + self._sign(hidden)

    def open(self, sealed: bytes) -> str:
        """The text again. Raises Unreadable: another master has sealed it, or it was changed."""
        hidden, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        if len(hidden) < _NONCE_BYTES or not hmac.compare_digest(tag, self._sign(hidden)):
            raise Unreadable("it was stored with another LETTERBOX_API_KEY")
        return self._mix(hidden[_NONCE_BYTES:], hidden[:_NONCE_BYTES]).decode()

    def digest(self, text: str) -> bytes:
        """What tells whether a text is known already, and nothing to those without the master."""
        return hmac.digest(self._derive(b"digest"), text.encode(), hashlib.sha256)

    def _mix(self, data: bytes, nonce: bytes) -> bytes:
        key = self._derive(b"encrypt")
        blocks = -(-len(data) // _BLOCK_BYTES)
        stream = b"".join(
            hmac.digest(key, nonce + block.to_bytes(8, "big"), hashlib.sha256)
            for block in range(blocks)
        )
        return bytes(one ^ other for one, other in zip(data, stream, strict=False))

    def _sign(self, hidden: bytes) -> bytes:
        return hmac.digest(self._derive(b"authenticate"), hidden, hashlib.sha256)

    def _derive(self, use: bytes) -> bytes:
        return hmac.digest(self.master.encode(), _PURPOSE + use, hashlib.sha256)
