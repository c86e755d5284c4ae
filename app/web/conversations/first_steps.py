"""What leads from a new installation to the first text and its reply, shown on the inbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import Route

from app.domain.access.own_address import is_loopback
from app.storage.conversations.first_steps import FirstSteps, read_first_steps
from app.web.core.site import Site, Visit

DISMISS = "/conversations/first-steps/dismiss"


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, whether it is done, and the page where it is done."""

    text: str
    is_done: bool
    path: str
    help: str


def make_first_steps_routes(site: Site) -> list[Route]:
    return [site.post(DISMISS, dismiss)]


async def list_first_steps(visit: Visit) -> Sequence[Step]:
    """Nothing for those who cannot do it, once all is done, or after somebody has dismissed it."""
    found = await visit.database.read(read_first_steps) if visit.is_admin else None
    steps = [] if found is None else _list_steps(visit, found)
    return [] if all(each.is_done for each in steps) else steps


async def dismiss(visit: Visit) -> Response:
    """Never show the list again, to anybody."""
    await visit.note("first-steps.dismiss", "")
    return visit.redirect("/", "The list of first steps is gone.")


def _list_steps(visit: Visit, found: FirstSteps) -> list[Step]:
    settings = visit.site.runtime.settings
    host = urlsplit(settings.public_url).hostname or ""
    is_reachable = found.has_auth or (bool(host) and not is_loopback(host))
    return [
        Step(
            "Give Letterbox an address that the provider can reach",
            is_reachable,
            "/numbers",
            "Set LETTERBOX_PUBLIC_URL to the address from outside; the numbers page shows it.",
        ),
        Step(
            "Add your number",
            found.has_number,
            "/numbers",
            "The number that people text, as the provider lists it.",
        ),
        Step(
            "Paste the forwarding address and the auth value at the provider",
            found.has_auth,
            "/numbers",
            "Into its page for the number. This is ticked when the first request comes with it.",
        ),
        Step(
            "Receive the first text",
            found.has_text,
            "/refusals",
            "Text your number. If nothing arrives, look at the rejected requests.",
        ),
        Step(
            "Set the provider's token",
            visit.site.runtime.provider is not None,
            "/overview",
            "LETTERBOX_PROVIDER_TOKEN lets Letterbox send. The overview shows the account.",
        ),
        Step(
            "Send the first reply",
            found.has_sent,
            "/rules",
            "Answer in the conversation, or let a rule answer.",
        ),
    ]
