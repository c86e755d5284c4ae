"""Keys: whose request it is, and what they may do."""

import hmac
from dataclasses import dataclass

from fastapi import Request

from app.domain.access.addresses import CallerFinder
from app.domain.access.credentials import Actor, Scope, digest_secret
from app.domain.errors import MissingScope, Unavailable, UnknownKey
from app.flows.access.use_key import use_key
from app.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is; `key_id` is None for LETTERBOX_API_KEY, `name` is the key's."""

    key_id: int | None
    name: str
    scopes: frozenset[Scope]
    address: str

    @property
    def actor(self) -> Actor:
        """Who it is in the audit trail and in histories."""
        return Actor(f"key:{self.name}", self.address)

    @property
    def owner(self) -> str:
        """Whose Idempotency-Keys it sends."""
        return "setting" if self.key_id is None else str(self.key_id)

    def may(self, scope: Scope) -> bool:
        return bool(self.scopes & {scope, "admin"})

    def check(self, *scopes: Scope) -> None:
        """Raises MissingScope for the first scope that the key lacks."""
        for scope in scopes:
            if not self.may(scope):
                raise MissingScope(scope)


class Keyring:
    """Looks up the key of each request anew, so that a revoked one is refused at once."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._digest = digest_secret(runtime.secrets.api_key)
        self._callers = CallerFinder(runtime.settings.trusted_proxies)

    async def find(self, request: Request) -> Caller:
        """Raises UnknownKey, and Unavailable where the database cannot be asked."""
        digest = digest_secret(_read_bearer(request))
        address = self._callers.find(request.scope.get("client"), request.scope["headers"])
        if hmac.compare_digest(digest, self._digest):
            return Caller(None, "LETTERBOX_API_KEY", frozenset({"admin"}), address)
        self.check_prepared()
        key = await use_key(self.runtime.database, digest, now=self.runtime.now())
        if key is None:
            raise UnknownKey("the key is unknown; it may have been revoked")
        return Caller(key.id, key.name, frozenset(key.scopes), address)

    def check_prepared(self) -> None:
        """Raises Unavailable while the database has not been reached since the start."""
        if not self.runtime.prepared.is_set():
            raise Unavailable("the database has not been reached yet; messages are taken already")


def get_keyring(request: Request) -> Keyring:
    """The keyring of the application that answers."""
    keyring: Keyring = request.app.state.keyring
    return keyring


def _read_bearer(request: Request) -> str:
    values = request.headers.getlist("authorization")
    scheme, _, secret = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnknownKey("send a key in one header: Authorization: Bearer <key>")
    return secret.strip()
