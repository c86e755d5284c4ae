"""Notifications: who is told, what of, whether it works."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.access.sealing import Sealer
from app.domain.errors import Conflict, InvalidInput
from app.domain.numbers import read_number
from app.domain.operations.notify_addresses import Wishes, describe_wishes, is_quiet
from app.flows.operations.notifications import manage_notify
from app.storage.conversations.inbox import LabelledNumber, list_our_numbers
from app.storage.operations.notify_addresses import NotifyAddress, get_address, list_addresses
from app.web.core.forms.form import Form
from app.web.core.site import Site, Visit

PATH = "/notifications"
FIELDS = ("address", "name", "alerts", "quiet_from", "quiet_until", "summary_at", "zone")


def make_notification_routes(site: Site) -> list[Route]:
    one = f"{PATH}/{{id:int}}"
    return [
        site.get(PATH, show_addresses),
        site.post(PATH, add),
        site.get(one, show_address),
        site.post(one, change),
        site.post(f"{one}/test", test),
        site.post(f"{one}/enable", enable),
        site.post(f"{one}/disable", disable),
        site.get(f"{one}/remove", ask_to_remove),
        site.post(f"{one}/remove", remove),
    ]


async def show_addresses(visit: Visit) -> Response:
    """The addresses with their state, and a form to add one."""
    return await _show_list(visit, Form([("alerts", "on")]))


async def add(visit: Visit) -> Response:
    """Add an address; a worker sends a test to it."""
    form = await visit.read_form()
    sealer = Sealer(visit.site.runtime.secrets.api_key)
    try:
        made = await visit.database.write(
            manage_notify.add_address,
            sealer,
            form.raw("address"),
            form.text("name"),
            _read_wishes(visit, form),
            who=visit.actor,
            now=visit.now,
        )
    except InvalidInput as error:
        form.note(error, FIELDS)
        return await _show_list(visit, form, status=422)
    except Conflict as error:
        form.fail("address", str(error))
        return await _show_list(visit, form, status=409)
    return visit.redirect(PATH, f"Added {made.masked}. A test message is on its way.")


async def show_address(visit: Visit) -> Response:
    address = await _find(visit)
    return await _show_one(visit, address, _fill(address))


async def change(visit: Visit) -> Response:
    """Change what an address gets."""
    form = await visit.read_form()
    address = await _find(visit)
    try:
        await visit.database.write(
            manage_notify.change_wishes,
            address.id,
            _read_wishes(visit, form),
            who=visit.actor,
            now=visit.now,
        )
    except InvalidInput as error:
        form.note(error, FIELDS)
        return await _show_one(visit, address, form, status=422)
    return visit.redirect(PATH, f"Saved what {address.masked} gets.")


async def test(visit: Visit) -> Response:
    """Have a worker send a test message: no request waits for other servers."""
    address = await visit.database.write(
        manage_notify.request_test, visit.path_id, who=visit.actor, now=visit.now
    )
    return visit.redirect(PATH, f"A test message to {address.masked} is on its way.")


async def enable(visit: Visit) -> Response:
    await visit.database.write(
        manage_notify.enable_address, visit.path_id, who=visit.actor, now=visit.now
    )
    return visit.redirect(PATH, "Notifications go to this address again.")


async def disable(visit: Visit) -> Response:
    await visit.database.write(
        manage_notify.disable_address, visit.path_id, who=visit.actor, now=visit.now
    )
    return visit.redirect(PATH, "No notifications go to this address until you enable it.")


async def ask_to_remove(visit: Visit) -> Response:
    return visit.render("operations/notification_remove.html", address=await _find(visit))


async def remove(visit: Visit) -> Response:
    removed = await visit.database.write(
        manage_notify.remove_address, visit.path_id, who=visit.actor, now=visit.now
    )
    return visit.redirect(PATH, f"Removed {removed.masked}.")


async def _show_list(visit: Visit, form: Form, *, status: int = 200) -> Response:
    addresses = await visit.database.read(list_addresses)
    return visit.render(
        "operations/notifications.html",
        status=status,
        addresses=addresses,
        gets={each.id: describe_wishes(each.wishes) for each in addresses},
        quiet={each.id for each in addresses if is_quiet(each.wishes, visit.now)},
        form=form,
        our_numbers=await _list_numbers(visit),
        zone=visit.site.runtime.settings.provider_timezone,
    )


async def _show_one(
    visit: Visit, address: NotifyAddress, form: Form, *, status: int = 200
) -> Response:
    return visit.render(
        "operations/notification.html",
        status=status,
        address=address,
        form=form,
        our_numbers=await _list_numbers(visit),
        zone=address.wishes.zone,
    )


async def _list_numbers(visit: Visit) -> list[LabelledNumber]:
    return await visit.database.read(list_our_numbers)


async def _find(visit: Visit) -> NotifyAddress:
    return await visit.database.read(get_address, visit.path_id)


def _read_wishes(visit: Visit, form: Form) -> Wishes:
    return Wishes(
        form.has("alerts"),
        form.has("texts"),
        tuple(read_number(number, visit.region) for number in form.texts("numbers")),
        form.text("quiet_from") or None,
        form.text("quiet_until") or None,
        form.text("summary_at") or None,
        form.text("zone"),
    )


def _fill(address: NotifyAddress) -> Form:
    wishes = address.wishes
    ticked = [(name, "on") for name in ("alerts", "texts") if getattr(wishes, name)]
    typed = [
        (name, getattr(wishes, name) or "")
        for name in ("quiet_from", "quiet_until", "summary_at", "zone")
    ]
    return Form([*ticked, *typed, *(("numbers", number) for number in wishes.numbers)])
