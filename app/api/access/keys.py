"""/keys: who may use this interface, and for what."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call, KeyId
from app.api.core.enums import ApiScope
from app.api.core.etags import IfMatch
from app.api.core.lists import CREATED, LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import ApiKey, ApiKeyWithSecret, Changes, Page, Sent, Text
from app.flows.access import configure
from app.storage.access import keys

router = make_router("/keys", "admin")

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


@router.get("", responses=LINK_HEADER)
async def list_keys(call: Call, query: Annotated[ListQuery, Query()]) -> Page[ApiKey]:
    """List the keys, newest first; LETTERBOX_API_KEY is none of them."""
    return await answer_list(call, query, keys.list_keys, ApiKey.model_validate)


@router.post("", status_code=201, responses=CREATED)
async def create_key(body: KeyCreate, call: Call) -> ApiKeyWithSecret:
    """Create a key; the key itself is shown in this answer alone."""
    made = await configure.create_key(
        call.database, body.name, body.scopes, who=call.actor, now=call.now
    )
    shown = ApiKey.model_validate(made.key)
    call.locate(f"/keys/{shown.id}")
    return ApiKeyWithSecret(**shown.model_dump(), key=made.secret)


@router.get("/{id}")
async def get_key(id: KeyId, call: Call) -> ApiKey:
    """Get one key, without the key itself."""
    return ApiKey.model_validate(await call.database.read(keys.get_key, id))


@router.patch("/{id}")
async def change_key(id: KeyId, body: KeyChanges, call: Call, if_match: IfMatch) -> ApiKey:
    """Change a key's name or scopes; the key itself stays the same."""
    changed = await configure.change_key(
        call.database,
        id,
        **body.model_dump(exclude_unset=True),
        check=if_match.checking(ApiKey.model_validate),
        who=call.actor,
        now=call.now,
    )
    return ApiKey.model_validate(changed)


@router.delete("/{id}", status_code=204)
async def revoke_key(id: KeyId, call: Call, if_match: IfMatch) -> None:
    """Revoke a key: from now on it opens nothing."""
    check = if_match.checking(ApiKey.model_validate)
    await configure.revoke_key(call.database, id, check=check, who=call.actor, now=call.now)
