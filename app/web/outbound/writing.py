"""Writing texts: reading forms, measuring texts, and queueing each form's text once."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import InvalidFields, InvalidInput
from app.domain.numbers import read_number
from app.domain.outbound.credits import estimate_credits
from app.domain.outbound.gsm import LONGEST_BODY, SmsText, measure_text
from app.domain.outbound.plain_text import write_plainly
from app.domain.outbound.requests import OutboundRequest, ScheduleBy
from app.domain.templates import fill_template, list_names
from app.flows.outbound.compose import compose_once
from app.storage.conversations.inbox import LabelledNumber, list_our_numbers
from app.web.core.forms.form import WHOLE, Form
from app.web.core.forms.moments import read_moment
from app.web.core.forms.one_time_forms import make_form_key, wait_for_first
from app.web.core.obstacles import find_obstacle
from app.web.core.site import Site, Visit

# The choice “Other sender…”.
OWN = "own"
# So many of the characters that made a text Unicode are shown.
SHOWN_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Measure:
    """The length of a text; `credits` are for all `recipients`, None if they are unknown.

    `plainly` is the text in plain SMS characters.
    """

    characters: int
    sms: SmsText
    credits: int | None
    recipients: int
    plainly: str

    @property
    def parts(self) -> int:
        return len(self.sms.parts)

    @property
    def saved_parts(self) -> int:
        """How many parts plain characters would save."""
        return self.parts - len(measure_text(self.plainly).parts)

    @property
    def outside(self) -> Sequence[str]:
        """The characters that made it Unicode, as many as are shown."""
        return self.sms.outside[:SHOWN_CHARACTERS]

    @property
    def room(self) -> int:
        """How many more characters fit into the last part."""
        return min(self.sms.room, LONGEST_BODY - self.characters)

    @property
    def too_many(self) -> int:
        """How many characters it is too long."""
        return max(0, self.characters - LONGEST_BODY)


@dataclass(frozen=True, slots=True)
class TemplateMeasure(Measure):
    """The length of a text whose placeholders are empty or have their fallbacks."""

    placeholders: int


def make_writing_routes(site: Site) -> list[Route]:
    return [site.post("/measure", show_measure)]


async def show_measure(visit: Visit) -> Response:
    """The length of a text, as a part of a page that is fetched while someone types."""
    form = await visit.read_form()
    body = form.text("body")
    if form.has("template"):
        measured = measure_template(body)
        return visit.render("outbound/measure.html", measure=measured, offers_plain=False)
    numbers = normalise_numbers(visit, form.text("to"))
    measured = measure(body, numbers)
    return visit.render("outbound/measure.html", measure=measured, offers_plain=form.has("offer"))


def normalise_numbers(visit: Visit, text: str) -> list[str]:
    """The valid numbers of a field, for an estimate."""
    found = []
    for each in read_numbers(text):
        with suppress(InvalidInput):
            found.append(read_number(each, visit.region))
    return list(dict.fromkeys(found))


def measure(body: str, numbers: Sequence[str]) -> Measure:
    """Count a text, and estimate what it costs to send it to these numbers."""
    sms = measure_text(body)
    cost = sum(estimate_credits(number, len(sms.parts)) for number in numbers)
    return Measure(len(body), sms, cost or None, len(numbers), write_plainly(body))


def measure_template(template: str) -> Measure:
    """Count a text with placeholders, which are as long as what they are filled with."""
    try:
        body, names = fill_template(template, {}), list_names(template)
    except InvalidInput:  # a placeholder is not complete yet
        body, names = template, []
    sms = measure_text(body)
    return TemplateMeasure(len(body), sms, None, 0, write_plainly(body), len(names))


def read_sender(form: Form) -> str:
    """Whom a text comes from. Raises InvalidInput."""
    source = form.text("source")
    source = form.text("own_source") if source == OWN else source
    if not source:
        raise InvalidInput("choose a sender", field="source")
    return source


def read_schedule(visit: Visit, form: Form) -> tuple[datetime | None, ScheduleBy | None]:
    """When a text goes, and who holds it until then. Raises InvalidInput."""
    schedule_at = read_moment(form, "schedule_at", visit.site.runtime.settings.zone)
    by_provider = form.text("schedule_by") == "provider" and schedule_at is not None
    return schedule_at, "provider" if by_provider else None


async def read_senders(visit: Visit) -> tuple[list[LabelledNumber], str]:
    """Our numbers, and why nothing would be sent now, if so."""
    return await visit.database.read(list_our_numbers), await find_obstacle(visit)


def read_numbers(text: str) -> list[str]:
    """The numbers of a field that takes several, one per line or separated by commas, as typed."""
    return [
        each.strip()
        for each in text.replace(",", "\n").replace(";", "\n").split("\n")
        if each.strip()
    ]


async def send_once(visit: Visit, form: Form, wanted: OutboundRequest) -> None:
    """Queue it, unless this form has queued it already.

    Raises InvalidInput, Conflict and NoProvider.
    """
    runtime = visit.site.runtime
    runtime.get_provider()
    whom = [wanted.to, wanted.list_name, wanted.group_name]
    asked = json.dumps([wanted.source, wanted.body, whom, str(wanted.schedule_at)])
    idempotency_key = make_form_key(visit, form, asked.encode("utf-8", "surrogatepass"))

    async def compose() -> None:
        await compose_once(
            visit.database,
            wanted,
            idempotency_key,
            lambda _: {},
            who=visit.actor,
            region=visit.region,
            zone=runtime.settings.zone,
            now=visit.now,
        )

    await wait_for_first(compose, "it is already being queued: check the outbox in a moment")
    runtime.announce_texts()


def note_faults(form: Form, error: InvalidInput, known: Sequence[str]) -> None:
    """Show each error at its field; those of single numbers at `to`."""
    if not isinstance(error, InvalidFields):
        form.note(error, known)
        return
    written = read_numbers(form.text("to"))
    texts = [_name_number(name, written) + text for name, text, _ in error.found]
    form.fail("to" if "to" in known else WHOLE, "; ".join(texts))


def _name_number(name: str, written: Sequence[str]) -> str:
    """The number that an error is about: `to.2` is the third."""
    place = name.removeprefix("to.")
    if place == name or not place.isdecimal() or int(place) >= len(written):
        return ""
    return f"{written[int(place)]}: "
