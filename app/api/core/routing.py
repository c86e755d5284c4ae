"""Routers whose endpoints check the key, its scopes and the names of parameters first."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from app.api.core.calls import PREFIX
from app.api.core.etags import ETAG_HEADER, is_single, tag_answer
from app.api.core.idempotency import ONCE_PARAMETER, answer_once, find_key, make_key
from app.api.core.json_input import StrictRequest, check_media_type
from app.api.core.keyring import get_keyring
from app.domain.access.credentials import Scope
from app.domain.errors import Fault, InvalidFields, InvalidInput, NotFound
from app.domain.inbound.messages import MERGE_FIELDS
from app.streaming.bodies import limit_body

SECURITY_SCHEME = "bearerAuth"
MAX_BODY_BYTES = 256 * 1024

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def make_router(
    path: str,
    *scopes: Scope,
    acts_at_provider: bool = False,
    fields: Mapping[str, str] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> APIRouter:
    """A router under /api/v1 whose endpoints all need `scopes` and accept only known parameters.

    With `acts_at_provider` their POST and DELETE honour an Idempotency-Key. `fields` maps names of
    the provider client's arguments, as errors have them, to names of this interface.
    """

    class StrictRoute(APIRoute):
        """Checks first the key, then its scopes, the names of parameters, and their values."""

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
            """Whether it answers with the resource itself."""
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
                keyring = get_keyring(request)
                caller = await keyring.find(request)
                caller.check(*scopes)
                keyring.check_prepared()
                _check_parameters(request, known, several)
                request.state.caller = caller
                strict = StrictRequest(request.scope, limit_body(request.receive, max_body_bytes))
                if takes_json and await strict.body():
                    check_media_type(strict)
                with _renaming(renamed):
                    if self._is_once and (key := find_key(strict)) is not None:
                        runtime = keyring.runtime
                        idempotency_key = await make_key(
                            strict, caller.owner, key, runtime.secrets.api_key
                        )
                        return await answer_once(runtime, idempotency_key, lambda: handle(strict))
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


def _list_parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """The names of the query's parameters, and whether each may be repeated."""
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, field in model.model_fields.items():
                yield field.alias or name, "list[" in str(field.annotation)
        else:
            yield parameter.alias, False


@contextmanager
def _renaming(names: Mapping[str, str]) -> Iterator[None]:
    """Errors use the names of this interface."""
    try:
        yield
    except InvalidInput as error:
        error.field = names.get(error.field or "", error.field)
        raise


def _check_parameters(request: Request, known: set[str], several: set[str]) -> None:
    """Raises InvalidFields for parameters that are unknown or repeated, or contain NUL."""
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
