"""Signatures that the library of Standard Webhooks verifies, and secrets that are derived."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.domain.webhooks.signing import (
    derive_listen_secret,
    derive_secret,
    digest_webhook_secret,
    show_secret,
    sign,
)

BODY = '{"text": "Grüße"}'


def test_the_library_verifies_what_either_of_two_secrets_has_signed() -> None:
    old, new = derive_secret("master", b"1"), derive_secret("master", b"2")
    headers = sign([new, old], "evt_1_received", datetime.now(UTC), BODY.encode())
    for secret in (old, new):
        assert Webhook(show_secret(secret)).verify(BODY, headers) == {"text": "Grüße"}
    with pytest.raises(WebhookVerificationError):
        Webhook(show_secret(derive_secret("other", b"1"))).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(show_secret(new)).verify(BODY + " ", headers)


def test_a_secret_depends_on_master_and_salt_and_shows_in_no_digest() -> None:
    secret = derive_secret("master", b"salt")
    others = [derive_secret("master", b"tlas"), derive_secret("retsam", b"salt")]
    assert len(secret) == 32
    assert secret == derive_secret("master", b"salt")
    assert secret not in others
    assert digest_webhook_secret(secret) not in secret
    assert derive_listen_secret("master") not in [secret, *others]
