"""The action Send to one number or many: what is refused, what is taken and what it costs."""

from datetime import datetime, timedelta
from decimal import Decimal

from app.simulator.actions.calls import Answer, Call
from app.simulator.actions.codes import ACCOUNT_CODES, ERROR_TEXTS, RefusedError
from app.simulator.actions.drafts import Draft, read_draft
from app.simulator.actions.magic import ENDING_NUMBERS, magic_code
from app.simulator.actions.phones import read_destination
from app.simulator.state.outgoing import OutgoingText
from app.simulator.state.progress import plan_steps


def send_to_numbers(call: Call) -> Answer:
    """Send to the numbers of DestinationAddress: an id or a code for each, in their order.

    Raises RefusedError where the provider refuses the call as a whole.
    """
    numbers = call.text("DestinationAddress").split(",")
    try:
        draft = read_draft(call)
    except RefusedError as refusal:
        if call.switches.whole_call_errors == "lone" or len(numbers) == 1:
            raise
        return _answer(call, [str(refusal.code)] * len(numbers))
    for number in numbers:
        _check_caller(call, number)
    if call.switches.short_credits == "all":
        _check_all_payable(call, draft, numbers)
    return _answer(call, [_send_one(call, draft, number) for number in numbers])


def place(call: Call, draft: Draft, destination: str, taken_at: datetime) -> OutgoingText:
    """Accept one message: check it, charge for it, plan its statuses. Raises RefusedError."""
    number = _check_destination(call, destination)
    world, account, switches = call.world, call.account, call.switches
    cost = draft.cost(number, switches.foreign_cost)
    if account.credits < cost:
        raise RefusedError(-100)
    due_at = max(draft.schedule_at or taken_at, taken_at)
    day = world.day_of(due_at)
    limit = switches.daily_limit
    if limit is not None and world.outgoing.sent_on(account.username, number, day) >= limit:
        raise RefusedError(-411)
    account.credits -= cost
    validity = timedelta(seconds=draft.validity_seconds)
    text = OutgoingText(
        first_id=world.outgoing.reserve(draft.parts),
        username=account.username,
        destination=number,
        source=draft.source,
        body=draft.body,
        parts=draft.parts,
        encoding=draft.encoding,
        cost=cost,
        taken_at=taken_at,
        due_at=due_at,
        scheduled=draft.schedule_at is not None,
        validity_seconds=draft.validity_seconds,
        steps=plan_steps(_choose_ending(call, number), taken_at, due_at, validity, switches),
        background_id=draft.background_id,
    )
    world.outgoing.add(text, day)
    return text


def _send_one(call: Call, draft: Draft, number: str) -> str:
    try:
        text = place(call, draft, number, call.now)
    except RefusedError as refusal:
        return str(refusal.code)
    if call.is_set("GetAllMessageIDs"):
        return ",".join(str(one) for one in text.ids)
    return str(text.first_id)


def _answer(call: Call, results: list[str]) -> Answer:
    lines = [",".join(results)]
    if call.shows_errors():
        lines += [ERROR_TEXTS[int(one)] for one in results if one.startswith("-")]
    refused = len(results) == 1 and results[0].startswith("-")
    return Answer("\n".join(lines), status=call.switches.error_status if refused else 200)


def _check_all_payable(call: Call, draft: Draft, numbers: list[str]) -> None:
    read = (read_destination(number, call.switches.national_numbers) for number in numbers)
    total = sum(
        (draft.cost(one, call.switches.foreign_cost) for one in read if one), start=Decimal(0)
    )
    if call.account.credits < total:
        raise RefusedError(-100)


def _check_caller(call: Call, destination: str) -> None:
    """A magic number whose code is about the caller refuses the whole call."""
    number = read_destination(destination, call.switches.national_numbers)
    code = magic_code(number) if number and call.switches.magic_numbers else None
    if code is not None and code in ACCOUNT_CODES:
        raise RefusedError(code)


def _check_destination(call: Call, destination: str) -> str:
    switches = call.switches
    number = read_destination(destination, switches.national_numbers)
    if number is None:
        raise RefusedError(-401)
    if switches.magic_numbers and (code := magic_code(number)):
        raise RefusedError(code)
    if number.startswith(switches.unrouted_prefixes):
        raise RefusedError(-406)
    if number in call.account.blacklist:
        raise RefusedError(-412)
    return number


def _choose_ending(call: Call, number: str) -> str:
    switches = call.switches
    if switches.magic_numbers and number in ENDING_NUMBERS:
        return ENDING_NUMBERS[number]
    if not switches.ending_shares:
        return "Delivered"
    drawn = call.world.random.random()
    for ending, share in switches.ending_shares.items():
        drawn -= share
        if drawn < 0:
            return ending
    return "Delivered"
