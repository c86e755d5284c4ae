"""/keys: who may use this interface, and for what."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.core.dependencies import PREFIX, By, Keyring, make_router
from app.api.core.enums import ApiScope
from app.api.core.etags import IfMatch
from app.api.core.lists import CREATED, LINK_HEADER, Listing, ListQuery
from app.api.core.schemas import ApiKey, ApiKeyWithSecret, Changes, Page, Sent, Text
from app.domain.ids import decode_id
from app.flows.access import configure
from app.runtime import Runtime
from app.storage.access import keys

Name = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=200,
        description="for people; the audit names it",
        examples=["reporting"],
    ),
]
Scopes = Annotated[
    list[ApiScope],
    Field(min_length=1, description="what it may do", examples=[["messages:read"]]),
]


class KeyCreate(Sent):
    """A key to create."""

    name: Name
    scopes: Scopes


class KeyChanges(Changes):
    """What to change; what is left out stays."""

    name: Name = Field(default_factory=str)
    scopes: Scopes = Field(default_factory=list)


def make_keys_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/keys", "admin")
    database = runtime.database

    @router.get("", responses=LINK_HEADER)
    async def list_keys(
        request: Request, response: Response, query: Annotated[ListQuery, Query()]
    ) -> Page[ApiKey]:
        """List the keys, newest first; LETTERBOX_API_KEY is none of them."""
        listing = Listing(request, query, runtime.settings.public_url)
        return await listing.answer(
            response,
            lambda before, limit: database.read(keys.list_keys, before=before, limit=limit),
            ApiKey.model_validate,
        )

    @router.post("", status_code=201, responses=CREATED)
    async def create_key(body: KeyCreate, response: Response, by: By) -> ApiKeyWithSecret:
        """Create a key; the key itself is shown in this answer alone."""
        made = await configure.create_key(
            database, body.name, body.scopes, who=by.actor, now=runtime.now()
        )
        shown = ApiKey.model_validate(made.key)
        response.headers["Location"] = f"{runtime.settings.public_url}{PREFIX}/keys/{shown.id}"
        return ApiKeyWithSecret(**shown.model_dump(), key=made.secret)

    @router.get("/{id}")
    async def get_key(id: str) -> ApiKey:  # noqa: A002 the path's name
        """Get one key, without the key itself."""
        return ApiKey.model_validate(await database.read(keys.get_key, decode_id("key", id)))

    @router.patch("/{id}")
    async def change_key(
        id: str,  # noqa: A002 the path's name
        body: KeyChanges,
        by: By,
        if_match: IfMatch,
    ) -> ApiKey:
        """Change a key's name or scopes; the key itself stays the same."""
        changes = body.model_dump(exclude_unset=True)
        changed = await configure.change_key(
            database,
            decode_id("key", id),
            **changes,
            check=if_match.checking(ApiKey.model_validate),
            who=by.actor,
            now=runtime.now(),
        )
        return ApiKey.model_validate(changed)

    @router.delete("/{id}", status_code=204)
    async def revoke_key(id: str, by: By, if_match: IfMatch) -> None:  # noqa: A002 the path's name
        """Revoke a key: from now on it opens nothing."""
        await configure.revoke_key(
            database,
            decode_id("key", id),
            check=if_match.checking(ApiKey.model_validate),
            who=by.actor,
            now=runtime.now(),
        )

    return router
