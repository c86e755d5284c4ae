"""Secrets that a page shows once: kept, sealed, in the browser's cookie until the page is left.

A form that makes a secret redirects to a page, which may then be reloaded. The secret is stored
nowhere on our side, and any process that shares our secrets can show the page.
"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from app.domain.access.sealing import Sealer
from app.domain.errors import Unreadable

COOKIE = "letterbox_once"
LIFE = timedelta(minutes=15)


def write_once(
    secret: str, session_id: int, path: str, values: Mapping[str, str], now: datetime
) -> str:
    """The cookie's value for what the page at `path` shows to this session."""
    kept = [session_id, path, (now + LIFE).timestamp(), dict(values)]
    sealed = _make_sealer(secret).seal(json.dumps(kept))
    # Without padding, because a value with `=` would have to be quoted.
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_once(
    secret: str, session_id: int, path: str, cookie: str, now: datetime
) -> dict[str, str]:
    """What that page shows; nothing for another page or session, or when it is too late."""
    if not cookie:
        return {}
    try:
        text = _make_sealer(secret).open(base64.urlsafe_b64decode(f"{cookie}=="))
    except (ValueError, Unreadable):
        return {}
    kept_session, kept_path, ends_at, values = json.loads(text)
    is_here = kept_session == session_id and kept_path == path and now.timestamp() < ends_at
    found: dict[str, str] = values if is_here else {}
    return found


def _make_sealer(secret: str) -> Sealer:
    """With keys of its own: what others seal is nothing that this reads."""
    return Sealer(f"shown once {secret}")
