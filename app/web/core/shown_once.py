"""Secrets that a page shows once: kept, sealed, in the browser's cookie until the page is left.

A form that makes a secret redirects to a page, which may then be reloaded. The secret is stored
nowhere on our side, and any process that shares our secrets can show the page.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from app.domain.access.sealing import seal, unseal

COOKIE = "letterbox_once"
LIFE = timedelta(minutes=15)


def write_once(
    secret: str, session_id: int, path: str, values: Mapping[str, str], now: datetime
) -> str:
    """The cookie's value for what the page at `path` shows to this session."""
    kept = [path, (now + LIFE).timestamp(), dict(values)]
    return seal(secret, f"once {session_id}", json.dumps(kept))


def read_once(
    secret: str, session_id: int, path: str, cookie: str, now: datetime
) -> dict[str, str]:
    """What that page shows; nothing for another page or session, or when it is too late."""
    text = unseal(secret, f"once {session_id}", cookie) if cookie else None
    if text is None:
        return {}
    kept_path, ends_at, values = json.loads(text)
    found: dict[str, str] = values if kept_path == path and now.timestamp() < ends_at else {}
    return found
