"""/messages/{id}/replay: read a message anew, and run it through the rules again."""

from fastapi import APIRouter

from app.api.core.dependencies import By, Keyring, make_router
from app.api.core.schemas import Message
from app.domain.ids import decode_id
from app.flows.inbound.replay import replay_message
from app.runtime import Runtime


def make_replays_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/messages", "messages:send", "messages:read")

    @router.post("/{id}/replay", name="replay_message")
    async def replay(id: str, by: By) -> Message:  # noqa: A002 the path's name
        """Parse a message again from its raw parameters, and run it through the rules again.

        Its fields become what this release reads in them. Guards and rules are asked where nothing
        has answered it yet: there is never a second reply. 409 for a moment, until it is handled.
        """
        replayed = await replay_message(
            runtime.database,
            decode_id("msg", id),
            zone=runtime.settings.zone,
            region=runtime.settings.default_region,
            limits=runtime.settings.reply_limits,
            who=by.actor,
            now=runtime.now(),
        )
        runtime.wakeups.notify("events")
        if replayed.queued:
            runtime.wakeups.notify("outbound")
        return Message.model_validate(replayed.message)

    return router
