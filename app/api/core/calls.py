"""What endpoints are given: the call that they answer, and what its path names."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import BeforeValidator, WithJsonSchema

from app.api.core.keyring import Caller, get_keyring
from app.domain.access.credentials import Actor
from app.domain.ids import Prefix, decode_id
from app.domain.numbers import normalise_number
from app.flows.access.note_action import note_action
from app.runtime import Runtime
from app.storage.db.database import Database

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class CallContext:
    """One request to an endpoint; the headers of `response` go out with the answer."""

    runtime: Runtime
    caller: Caller
    request: Request
    response: Response

    @property
    def database(self) -> Database:
        return self.runtime.database

    @property
    def now(self) -> datetime:
        return self.runtime.now()

    @property
    def actor(self) -> Actor:
        return self.caller.actor

    @property
    def region(self) -> str:
        """The region of national numbers."""
        return self.runtime.settings.default_region

    async def note(self, action: str, subject: str, **detail: Any) -> None:
        """Note in the audit trail what was done at the provider."""
        await note_action(self.database, action, subject, detail, who=self.actor, now=self.now)

    def locate(self, path: str) -> None:
        """Say where the resource is that was created."""
        base = self.runtime.settings.public_url
        self.response.headers["Location"] = f"{base}{PREFIX}{path}"


def _find_call(request: Request, response: Response) -> CallContext:
    runtime = get_keyring(request).runtime
    return CallContext(runtime, request.state.caller, request, response)


# An endpoint's parameter.
Call = Annotated[CallContext, Depends(_find_call)]


def path_id(prefix: Prefix) -> Any:
    """Reads an id in a path as the row's number. Raises NotFound for whatever is none."""
    return BeforeValidator(lambda text: decode_id(prefix, text))


_AS_TEXT = WithJsonSchema({"type": "string"})
KeyId = Annotated[int, path_id("key"), _AS_TEXT]
MemberId = Annotated[int, path_id("mem"), _AS_TEXT]
MessageId = Annotated[int, path_id("msg"), _AS_TEXT]
ConversationId = Annotated[int, path_id("cnv"), _AS_TEXT]
OutboundId = Annotated[int, path_id("out"), _AS_TEXT]
WebhookId = Annotated[int, path_id("whk"), _AS_TEXT]
BatchId = Annotated[int, path_id("bat"), _AS_TEXT]
SavedReplyId = Annotated[int, path_id("rep"), _AS_TEXT]
RuleId = Annotated[int, path_id("rul"), _AS_TEXT]


def _read_number(number: str, call: Call) -> str:
    return normalise_number(number, call.region)


NumberInPath = Annotated[str, Depends(_read_number)]
