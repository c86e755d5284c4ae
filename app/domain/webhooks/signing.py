"""Signatures of Standard Webhooks (version 1 of that page), and the secrets that make them."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
_PURPOSE = b"letterbox webhook secret 1:"
_LISTEN = b"letterbox listen secret 1:"


def derive_secret(master: str, salt: bytes) -> bytes:
    """The secret of an endpoint: only who has both the master and the database can make it."""
    return hmac.digest(master.encode(), _PURPOSE + salt, hashlib.sha256)


def derive_listen_secret(key: str) -> bytes:
    """What `letterbox listen` signs with: the same whenever it runs with this API key."""
    return hmac.digest(key.encode(), _LISTEN, hashlib.sha256)


def show_secret(secret: bytes) -> str:
    """The secret as people copy it and libraries take it."""
    return PREFIX + base64.b64encode(secret).decode()


def digest_webhook_secret(secret: bytes) -> bytes:
    """What tells whether a secret is still the one that its owner was shown."""
    return hashlib.sha256(_PURPOSE + secret).digest()[:16]


def sign(
    secrets: Sequence[bytes], message_id: str, sent_at: datetime, body: bytes
) -> dict[str, str]:
    """The three headers, with a signature by each secret."""
    timestamp = str(int(sent_at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = (
        base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
        for secret in secrets
    )
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }
