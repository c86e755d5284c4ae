"""What stands before every REST endpoint: the key, its scope, and strictness about parameters."""

import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from app.api.core.etags import ETAG_HEADER, is_single, tag_answer
from app.api.core.idempotency import ONCE_PARAMETER, answer_once, make_once
from app.api.core.json_input import StrictRequest, check_media_type
from app.domain.access.addresses import CallerFinder
from app.domain.access.credentials import Actor, Scope, digest_secret
from app.domain.errors import (
    Fault,
    InvalidFields,
    InvalidInput,
    MissingScope,
    NotFound,
    Unavailable,
    UnknownKey,
)
from app.domain.inbound.messages import MERGE_FIELDS
from app.runtime import Runtime
from app.storage.access.audit import add_audit
from app.storage.access.keys import LAST_USED_STEP, ApiKey, find_key, note_key_used
from app.storage.operations.idempotency import Once

PREFIX = "/api/v1"
SECURITY_SCHEME = "bearerAuth"
# Every body that this interface takes is small.
MAX_BODY_BYTES = 256 * 1024

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


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
    """Finds the key of a request anew each time, so that a revoked one opens nothing more."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._digest = digest_secret(runtime.secrets.api_key)
        self._callers = CallerFinder(runtime.settings.trusted_proxies)

    async def find(self, request: Request) -> Caller:
        """Raises UnknownKey, and Unavailable where the database cannot be asked."""
        secret = _read_bearer(request)
        digest = digest_secret(secret)
        if hmac.compare_digest(digest, self._digest):
            address = self._find_address(request)
            return Caller(None, "LETTERBOX_API_KEY", frozenset({"admin"}), address)
        self.check_prepared()
        key = await self._runtime.database.read(find_key, digest)
        if key is None:
            raise UnknownKey("the key is unknown; it may have been revoked")
        await self._note_used(key, self._runtime.now())
        return Caller(key.id, key.name, frozenset(key.scopes), self._find_address(request))

    async def make_once(self, request: Request, caller: Caller) -> Once | None:
        """The request with its Idempotency-Key, if it has one."""
        return await make_once(request, caller.owner, self._runtime.secrets.api_key)

    async def answer_once(self, once: Once, answer: Callable[[], Awaitable[Response]]) -> Response:
        return await answer_once(self._runtime.database, once, answer, self._runtime.now)

    def _find_address(self, request: Request) -> str:
        return self._callers.find(request.scope.get("client"), request.scope["headers"])

    def check_prepared(self) -> None:
        """Raises Unavailable while the database has not been reached since the start."""
        if not self._runtime.prepared.is_set():
            raise Unavailable("the database has not been reached yet; messages are taken already")

    async def _note_used(self, key: ApiKey, now: datetime) -> None:
        if key.last_used_at is None or key.last_used_at < now - LAST_USED_STEP:
            with suppress(Unavailable):  # a nicety: it holds up no request
                await self._runtime.database.write(note_key_used, key.id, now)


def make_router(
    keyring: Keyring,
    path: str,
    *scopes: Scope,
    acts_at_provider: bool = False,
    fields: Mapping[str, str] | None = None,
) -> APIRouter:
    """A router under /api/v1 whose endpoints all need `scopes` and accept only known parameters.

    Where they act at the provider, their POST and DELETE honour an Idempotency-Key. `fields` says
    what arguments of the provider's client are called here, where an error names one.
    """

    class StrictRoute(APIRoute):
        """Checks in this order: the key, its scopes, the parameters' names; then the endpoint's."""

        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
            security = {"security": [{SECURITY_SCHEME: list(scopes)}]}
            extra = security | (options.pop("openapi_extra", None) or {})
            self._is_once = acts_at_provider and not {"GET"} & set(options.get("methods") or ())
            if self._is_once:
                extra |= ONCE_PARAMETER
            super().__init__(path, endpoint, openapi_extra=extra, **options)
            if self._is_tagged:
                headers = {str(self.status_code or 200): {"headers": ETAG_HEADER}}
                self.openapi_extra = {
                    **security,
                    **(self.openapi_extra or {}),
                    "responses": headers,
                }

        @property
        def _is_tagged(self) -> bool:
            """Whether it answers with a resource as GET shows it."""
            shows = {"GET", "PATCH"} & (self.methods or set())
            return bool(shows or self.status_code == HTTPStatus.CREATED) and is_single(
                self.response_model
            )

        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()
            known = {name for name, _ in _list_parameters(self.dependant)}
            renamed = {
                name: here
                for name, here in (fields or {}).items()
                if here in known or here in self.param_convertors
            }
            several = {name for name, is_many in _list_parameters(self.dependant) if is_many}
            takes_json = self.body_field is not None
            is_tagged = self._is_tagged

            async def handle_strictly(request: Request) -> Response:
                caller = await keyring.find(request)
                caller.check(*scopes)
                keyring.check_prepared()
                _check_parameters(request, known, several)
                request.state.caller = caller
                strict = StrictRequest(request.scope, _limit_body(request.receive))
                if takes_json and await strict.body():
                    check_media_type(strict)
                once = await keyring.make_once(strict, caller) if self._is_once else None
                with _renaming(renamed):
                    if once is not None:
                        return await keyring.answer_once(once, lambda: handle(strict))
                    answer = await handle(strict)
                return tag_answer(strict, answer) if is_tagged else answer

            return handle_strictly

    return APIRouter(
        prefix=PREFIX + path,
        tags=[path.strip("/")],
        route_class=StrictRoute,
        generate_unique_id_function=get_operation_id,
    )


def get_operation_id(route: APIRoute) -> str:
    """What the description calls an operation: the function's name."""
    return route.name


def find_caller(request: Request) -> Caller:
    """Whose request an endpoint answers; its router has found the key already."""
    caller: Caller = request.state.caller
    return caller


# An endpoint's parameter: whose request it is.
By = Annotated[Caller, Depends(find_caller)]


def make_noter(runtime: Runtime) -> Callable[..., Coroutine[Any, Any, None]]:
    """Notes in the audit what has been done outside the database: at the provider, for one."""

    async def note(by: Caller, action: str, subject: str, **detail: Any) -> None:
        await runtime.database.write(add_audit, by.actor, action, subject, detail, runtime.now())

    return note


def _list_parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """The query's parameters, those of a model taken apart, and whether each may be repeated."""
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, field in model.model_fields.items():
                yield field.alias or name, "list[" in str(field.annotation)
        else:
            yield parameter.alias, False


@contextmanager
def _renaming(names: Mapping[str, str]) -> Iterator[None]:
    """Errors name a parameter as the description of this path does."""
    try:
        yield
    except InvalidInput as error:
        error.field = names.get(error.field or "", error.field)
        raise


def _read_bearer(request: Request) -> str:
    values = request.headers.getlist("authorization")
    scheme, _, secret = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnknownKey("send a key in one header: Authorization: Bearer <key>")
    return secret.strip()


def _limit_body(receive: Receive) -> Receive:
    """The same body, as far as it is of a size that this interface takes."""
    size = 0

    async def receive_limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return receive_limited


def _check_parameters(request: Request, known: set[str], several: set[str]) -> None:
    """Raises InvalidFields that name all that are unknown, repeated or hold a NUL."""
    if any("\0" in str(value) for value in request.path_params.values()):
        raise NotFound("no path holds a NUL character")
    counts = Counter(name for name, _ in request.query_params.multi_items())
    found = []
    for name, count in counts.items():
        if name not in known:
            found.append(Fault(name, _describe_unknown(name, known), "unknown"))
        elif count > 1 and name not in several:
            found.append(Fault(name, "it may be given once", "repeated"))
        elif any("\0" in value for value in request.query_params.getlist(name)):
            found.append(Fault(name, "it holds a NUL character, which no text can"))
    if found:
        raise InvalidFields(found)


def _describe_unknown(name: str, known: set[str]) -> str:
    if name.startswith("mm.") and "mm.name" in known:
        return f"there is no such merge field; they are {', '.join(MERGE_FIELDS)}"
    if not known:
        return "there is no such parameter; this takes none"
    return f"there is no such parameter; known are {', '.join(sorted(known))}"
