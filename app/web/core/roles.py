"""Which pages and forms are for everybody who signs in, and which for admins alone."""

from collections.abc import Mapping

from app.domain.access.members import Role

# The role that a path needs, by its first part; by all of it where that differs from the rest.
# Whoever adds a page says here who may use it: without that the application does not start.
ROLES: Mapping[str, Role] = {
    "/": "office",
    "/account": "office",
    "/batches": "office",
    "/conversations": "office",
    "/conversations/first-steps/dismiss": "admin",
    "/live": "office",
    "/inbox": "office",
    "/measure": "office",
    "/people": "office",
    "/messages": "office",
    "/messages/{id:int}/delete": "admin",
    "/messages/{id:int}/replay": "admin",
    "/new": "office",
    "/opt-outs": "office",
    "/outbox": "office",
    "/saved-replies": "office",
    "/scheduled": "office",
    "/sign-out": "office",
    "/texts": "office",
    "/unread": "office",
    "/alerts": "admin",
    "/audit": "admin",
    "/contacts": "admin",
    "/erasures": "admin",
    "/groups": "admin",
    "/keys": "admin",
    "/members": "admin",
    "/notifications": "admin",
    "/numbers": "admin",
    "/overview": "admin",
    "/refusals": "admin",
    "/reports": "admin",
    "/rules": "admin",
    "/webhooks": "admin",
}


def find_role(path: str) -> Role:
    """The least role for a path, as its route has it. Raises RuntimeError where none is said."""
    found = ROLES.get(path) or ROLES.get(f"/{path.split('/')[1]}")
    if found is None:
        raise RuntimeError(f"say in app/web/core/roles.py who may use {path}")
    return found
