"""The actions about messages already taken: CheckCredits, CheckMessageStatus and the cancel."""

from app.simulator.actions.calls import Answer, Call
from app.simulator.actions.codes import RefusedError
from app.simulator.state.outgoing import OutgoingText
from app.simulator.state.progress import Step


def check_credits(call: Call) -> Answer:
    separator = "," if call.switches.credits_comma else ""
    return Answer(f"{call.account.credits:{separator}.2f}")


def check_status(call: Call) -> Answer:
    word = _find(call).status(call.now) or "Pending"
    return Answer(call.switches.rename_statuses.get(word, word))


def cancel_message(call: Call) -> Answer:
    """1 if the message had not been sent yet, else -503, as the page says."""
    text = _find(call)
    if text.cancelled_at is not None or text.status(call.now) != "Pending":
        raise RefusedError(-503)
    word = call.switches.cancelled_status
    text.cancelled_at = call.now
    text.gone = word is None
    kept = tuple(step for step in text.steps if step.at <= call.now)
    text.steps = kept if word is None else (*kept, Step(call.now, word))
    if call.switches.cancel_refunds:
        call.account.credits += text.cost
    return Answer("1")


def _find(call: Call) -> OutgoingText:
    wanted = call.required("MessageID")
    text = call.world.outgoing.find(wanted, call.account.username, call.now)
    if text is None:
        raise RefusedError(-503)
    return text
