"""Webhooks: which programs are called, how they do, and what was delivered."""

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import InvalidInput, NotFound
from app.domain.ids import LAST_ID
from app.domain.webhooks.payloads import TYPES, WebhookType
from app.flows.webhooks import configure_webhooks, redeliver
from app.flows.webhooks.configure_webhooks import Rules
from app.storage.conversations.inbox import list_our_numbers
from app.storage.db.database import Connection
from app.storage.webhooks import deliveries, endpoints
from app.storage.webhooks.deliveries import Delivery
from app.storage.webhooks.endpoints import Webhook
from app.web.core.forms.form import Form
from app.web.core.forms.moments import read_moment
from app.web.core.lists import read_list
from app.web.core.site import Site, Visit

PATH = "/webhooks"
FIELDS = ("url", "types", "numbers", "ordered")
TYPE_LABELS: dict[WebhookType, str] = {
    "message.received": "A text came in",
    "message.handled": "The rules have decided about a text",
    "outbound.status": "A text is to go out, or its status has changed",
    "opt_out.changed": "Somebody opted out, or back in",
    "alert.opened": "An alert was opened",
    "alert.closed": "An alert is over",
}


def make_webhook_routes(site: Site) -> list[Route]:
    one = f"{PATH}/{{id:int}}"
    return [
        site.get(PATH, list_webhooks),
        site.post(PATH, add),
        site.get(one, show_webhook),
        site.post(one, change),
        site.post(f"{one}/state", set_state),
        site.post(f"{one}/test", test),
        site.post(f"{one}/replay", replay),
        site.get(f"{one}/rotate", ask_to_rotate),
        site.post(f"{one}/rotate", rotate),
        site.get(f"{one}/remove", ask_to_remove),
        site.post(f"{one}/remove", remove),
        site.get(f"{one}/deliveries/{{delivery:int}}", show_delivery),
        site.post(f"{one}/deliveries/{{delivery:int}}", repeat_delivery),
    ]


async def list_webhooks(visit: Visit) -> Response:
    """The webhooks with their state, and a form to add one."""
    return await _show_list(visit, Form([("types", each) for each in TYPES]))


async def add(visit: Visit) -> Response:
    """Add a webhook; its own page shows the secret until somebody leaves it."""
    form = await visit.read_form()
    try:
        made = await configure_webhooks.add_webhook(
            visit.database,
            form.text("url"),
            types=form.texts("types"),
            numbers=form.texts("numbers"),
            ordered=form.has("ordered"),
            rules=_find_rules(visit),
            master=visit.site.runtime.secrets.api_key,
            who=visit.actor,
            now=visit.now,
        )
    except InvalidInput as error:
        form.note(error, FIELDS)
        return await _show_list(visit, form, status=422)
    visit.site.runtime.announce_webhooks()
    return visit.redirect(f"{PATH}/{made.webhook.id}", once={"secret": made.secret})


async def show_webhook(visit: Visit) -> Response:
    webhook = await _find(visit)
    return await _show_one(visit, webhook, _fill(webhook))


async def change(visit: Visit) -> Response:
    """Change what is called and what for."""
    form = await visit.read_form()
    webhook = await _find(visit)
    changes = {
        "url": form.text("url"),
        "types": form.texts("types"),
        "numbers": form.texts("numbers"),
        "ordered": form.has("ordered"),
    }
    try:
        await _change(visit, webhook.id, **changes)
    except InvalidInput as error:
        form.note(error, FIELDS)
        return await _show_one(visit, webhook, form, status=422)
    return visit.redirect(f"{PATH}/{webhook.id}", "Saved.")


async def set_state(visit: Visit) -> Response:
    """Enable or disable it."""
    is_enabled = (await visit.read_form()).text("state") == "active"
    await _change(visit, visit.path_id, state="active" if is_enabled else "disabled")
    done = "Enabled. What it has missed is delivered now." if is_enabled else "Disabled."
    return visit.redirect(f"{PATH}/{visit.path_id}", done)


async def test(visit: Visit) -> Response:
    """Have a worker send a test: no request waits for other servers."""
    queued = await redeliver.send_test(
        visit.database, visit.path_id, who=visit.actor, now=visit.now
    )
    visit.site.runtime.announce_webhooks()
    return visit.redirect(f"{PATH}/{visit.path_id}/deliveries/{queued.id}", "A test is on its way.")


async def replay(visit: Visit) -> Response:
    """Send again what failed, or everything since a time."""
    form = await visit.read_form()
    page = f"{PATH}/{visit.path_id}"
    if form.text("what") == "failed":
        count = await redeliver.replay_failed(
            visit.database, visit.path_id, who=visit.actor, now=visit.now
        )
        done = f"{count} failed deliveries are sent again."
    else:
        try:
            since = read_moment(form, "since", visit.site.runtime.settings.zone)
            if since is None:
                return visit.redirect(page, "Enter a date and a time.", kind="failed")
            await redeliver.replay_since(
                visit.database, visit.path_id, since, who=visit.actor, now=visit.now
            )
        except InvalidInput as error:
            return visit.redirect(page, str(error), kind="failed")
        done = "Everything since then is delivered again."
    visit.site.runtime.announce_webhooks()
    return visit.redirect(page, done)


async def ask_to_rotate(visit: Visit) -> Response:
    return visit.render("webhooks/webhook_rotate.html", webhook=await _find(visit))


async def rotate(visit: Visit) -> Response:
    """Create a new secret; the webhook's page shows it until somebody leaves it."""
    made = await configure_webhooks.rotate_secret(
        visit.database,
        visit.path_id,
        master=visit.site.runtime.secrets.api_key,
        who=visit.actor,
        now=visit.now,
    )
    visit.site.runtime.announce_webhooks()
    return visit.redirect(f"{PATH}/{made.webhook.id}", once={"secret": made.secret})


async def ask_to_remove(visit: Visit) -> Response:
    return visit.render("webhooks/webhook_remove.html", webhook=await _find(visit))


async def remove(visit: Visit) -> Response:
    webhook = await _find(visit)
    await configure_webhooks.remove_webhook(
        visit.database, webhook.id, who=visit.actor, now=visit.now
    )
    visit.site.runtime.announce_webhooks()
    return visit.redirect(PATH, f"Removed the webhook {webhook.url}.")


async def show_delivery(visit: Visit) -> Response:
    """What was sent, what was answered, and how long that took."""
    webhook, delivery = await _find_delivery(visit)
    return visit.render("webhooks/delivery.html", webhook=webhook, delivery=delivery)


async def repeat_delivery(visit: Visit) -> Response:
    """Send one delivery again."""
    webhook, delivery = await _find_delivery(visit)
    await redeliver.replay_delivery(
        visit.database, webhook.id, delivery.id, who=visit.actor, now=visit.now
    )
    visit.site.runtime.announce_webhooks()
    return visit.redirect(
        f"{PATH}/{webhook.id}/deliveries/{delivery.id}", "The delivery is sent again."
    )


async def _change(visit: Visit, webhook_id: int, **changes: object) -> None:
    await configure_webhooks.change_webhook(
        visit.database,
        webhook_id,
        changes,
        rules=_find_rules(visit),
        who=visit.actor,
        now=visit.now,
    )
    visit.site.runtime.announce_webhooks()


async def _show_list(visit: Visit, form: Form, *, status: int = 200) -> Response:
    found, last = await visit.database.read(_read_webhooks)
    return visit.render(
        "webhooks/webhooks.html",
        status=status,
        webhooks=found,
        last=last,
        form=form,
        type_labels=TYPE_LABELS,
        our_numbers=await visit.database.read(list_our_numbers),
    )


def _read_webhooks(conn: Connection) -> tuple[list[Webhook], dict[int, Delivery]]:
    limit = configure_webhooks.MOST_WEBHOOKS
    found = endpoints.list_webhooks(conn, before=None, limit=limit)
    last = {each.id: each.last_message_id for each in found}
    return found, deliveries.find_last_deliveries(conn, last)


async def _show_one(visit: Visit, webhook: Webhook, form: Form, *, status: int = 200) -> Response:
    return visit.render(
        "webhooks/webhook.html",
        status=status,
        webhook=webhook,
        form=form,
        page=await read_list(visit, _list_of(webhook.id)),
        counts=await visit.database.read(deliveries.count_by_state, webhook.id),
        made=visit.shown_once,
        type_labels=TYPE_LABELS,
        our_numbers=await visit.database.read(list_our_numbers),
    )


def _list_of(webhook_id: int) -> Callable[..., list[Delivery]]:
    def read(conn: Connection, *, before: int | None, limit: int) -> list[Delivery]:
        return deliveries.list_deliveries(conn, webhook_id, before=before, limit=limit)

    return read


def _fill(webhook: Webhook) -> Form:
    """The form as the webhook is."""
    pairs = [("url", webhook.url), *(("types", each) for each in webhook.types)]
    pairs += [("numbers", each) for each in webhook.numbers]
    return Form([*pairs, *([("ordered", "on")] if webhook.ordered else [])])


async def _find(visit: Visit) -> Webhook:
    return await visit.database.read(endpoints.get_webhook, visit.path_id)


async def _find_delivery(visit: Visit) -> tuple[Webhook, Delivery]:
    webhook = await _find(visit)
    number = visit.request.path_params["delivery"]
    if number > LAST_ID:
        raise NotFound("there is nothing with this id")
    delivery = await visit.database.read(deliveries.get_delivery, number)
    if delivery.webhook_id != webhook.id:
        raise NotFound("no such delivery of this webhook")
    return webhook, delivery


def _find_rules(visit: Visit) -> Rules:
    return Rules(visit.site.runtime.settings.webhook_networks, visit.region)
