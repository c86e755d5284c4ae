"""Shares the endpoints between the processes: each delivers to those whose leases it holds."""

import math
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.ids import encode_id
from app.domain.webhooks.signing import derive_secret, digest_webhook_secret
from app.domain.webhooks.urls import name_host
from app.flows.webhooks.lanes import Lane
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.webhooks.endpoints import Webhook, list_all
from app.storage.webhooks.leases import count_workers, hold_webhooks, release_webhooks
from app.storage.webhooks.recording import Standing, read_standing

LEASE_SECONDS = 30.0
RENEWED_EVERY_SECONDS = 10.0
LOOK_SECONDS = 1.0

UNSIGNED = "webhook-secret"


@dataclass(frozen=True, slots=True)
class _Look:
    """`standings` are of the endpoints that this process holds."""

    hooks: Sequence[Webhook]
    workers: int
    standings: Mapping[int, Standing]


@dataclass
class Leases:
    """The endpoints of this process, by id; `holder` is its name in their rows."""

    database: Database
    master: str
    now: Callable[[], datetime]
    seconds: Callable[[], float]
    lanes: dict[int, Lane] = field(default_factory=dict)
    holder: str = field(default_factory=lambda: secrets.token_hex(8))
    _looked_at: float = -math.inf
    _told: set[int] = field(default_factory=set)

    async def refresh(self, *, at_once: bool) -> bool:
        """Notice changes, renew leases, and take or leave endpoints, once a second or at once.

        Returns whether an alert changed. Raises Unavailable.
        """
        if not at_once and self.seconds() - self._looked_at < LOOK_SECONDS:
            return False
        held = {id_: lane.hook.ordered for id_, lane in self.lanes.items()}
        look = await self.database.read(_look, self.now(), held)
        self._looked_at = self.seconds()
        hooks = {hook.id: hook for hook in look.hooks if hook.disabled_at is None}
        for lane in self.lanes.values():
            found = hooks.get(lane.hook.id)
            is_ours = found is not None and found.holder == self.holder
            if not is_ours or found is None or found.revision != lane.hook.revision:
                lane.is_leaving = True
            elif not lane.results:
                lane.standing = look.standings.get(lane.hook.id, Standing(is_current=True))
        await self._leave()
        usable = [hook for hook in hooks.values() if self._can_sign(hook)]
        is_told = await self._tell_unsigned([hook for hook in hooks.values() if hook not in usable])
        share = math.ceil(len(hooks) / max(1, look.workers))
        return await self._take(usable, share) or is_told

    async def release_all(self) -> None:
        """Let other processes have them at once."""
        if self.lanes:
            await self.database.write(release_webhooks, list(self.lanes), self.holder)
            self.lanes.clear()

    async def _leave(self) -> None:
        """Those that have nothing under way any more; the rows of changed ones stay ours."""
        gone = [id_ for id_, lane in self.lanes.items() if lane.is_leaving and lane.is_idle]
        if gone:
            await self.database.write(release_webhooks, gone, self.holder)
        for each in gone:
            del self.lanes[each]

    async def _take(self, usable: Sequence[Webhook], share: int) -> bool:
        staying = [lane for lane in self.lanes.values() if not lane.is_leaving]
        for lane in staying[share:]:
            lane.is_leaving = True
        staying = staying[:share]
        soon = self.seconds() + LEASE_SECONDS - RENEWED_EVERY_SECONDS
        renewed = [lane.hook.id for lane in staying if lane.leased_until <= soon]
        free = [hook.id for hook in usable if hook.id not in self.lanes and self._is_free(hook)]
        new = free[: max(0, share - len(staying))]
        if not renewed and not new:
            return False
        began = self.seconds()
        taken, is_told = await self.database.write(
            _hold, [*renewed, *new], new, self.holder, self.now()
        )
        for hook, standing in taken:
            self._keep(hook, standing, began + LEASE_SECONDS)
        lost = set(renewed) - {hook.id for hook, _ in taken}
        for each in lost:
            self.lanes[each].is_leaving = True
        return is_told

    def _keep(self, hook: Webhook, standing: Standing, until: float) -> None:
        if (lane := self.lanes.get(hook.id)) is not None:
            lane.leased_until = until
            return
        self.lanes[hook.id] = Lane(
            hook,
            until,
            standing,
            read_to=hook.position,
            done_to=hook.position,
            stored_to=hook.position,
            failing_since=hook.failing_since,
            resume_at=hook.resume_at,
            last_message_id=hook.last_message_id,
        )

    def _is_free(self, hook: Webhook) -> bool:
        is_held = hook.holder is not None and hook.holder != self.holder
        return not is_held or hook.lease_until is None or hook.lease_until <= self.now()

    def _can_sign(self, hook: Webhook) -> bool:
        secret = derive_secret(self.master, hook.salt)
        return digest_webhook_secret(secret) == hook.secret_digest

    async def _tell_unsigned(self, hooks: Collection[Webhook]) -> bool:
        unknown = [hook for hook in hooks if hook.id not in self._told]
        self._told = {hook.id for hook in hooks}
        if unknown:
            await self.database.write(_tell, unknown, self.now())
        return bool(unknown)


def _look(conn: Connection, now: datetime, held: Mapping[int, bool]) -> _Look:
    """`held` says by endpoint whether its order counts."""
    standings = {id_: read_standing(conn, id_, ordered=ordered) for id_, ordered in held.items()}
    return _Look(list_all(conn), count_workers(conn, now), standings)


def _hold(
    conn: Connection, ids: Sequence[int], new: Collection[int], holder: str, now: datetime
) -> tuple[list[tuple[Webhook, Standing]], bool]:
    held = hold_webhooks(conn, ids, holder, seconds=LEASE_SECONDS, now=now)
    found = [(hook, read_standing(conn, hook.id, ordered=hook.ordered)) for hook in held]
    closed = [close_alert(conn, UNSIGNED, str(each), now=now) for each in sorted(new)]
    return found, any(closed)


def _tell(conn: Connection, hooks: Sequence[Webhook], now: datetime) -> None:
    for hook in hooks:
        raise_alert(
            conn,
            UNSIGNED,
            str(hook.id),
            text=f"Nothing is delivered to the webhook at {name_host(hook.url)}: LETTERBOX_API_KEY"
            " has changed, and its secret was made with the old one.",
            action=f"Create a new secret at /webhooks/{hook.id} (or {encode_id('whk', hook.id)} in"
            " the interface) and give it to the endpoint, or set the old key again. What happens"
            " meanwhile is delivered then, unless it is older than seven days.",
            now=now,
            count=0,
        )
