"""Codes in plain words for the pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.domain.outbound.states import OutboundStatus
from app.domain.rules.answering import Outcome
from app.storage.outbound.texts import OutboundText

# How a badge looks.
Tone = Literal["good", "bad", "warn", "plain"]


@dataclass(frozen=True, slots=True)
class Label:
    """A state in a word or two, and what it means if that is not obvious."""

    text: str
    tone: Tone = "plain"
    meaning: str = ""


# Merge fields for which a number has no name of its own.
FIELD_LABELS = {"name": "Name", "email": "Email", **{str(n): f"Field {n}" for n in range(1, 6)}}
PROBLEMS = {
    "charset": Label(
        "Characters unclear",
        "warn",
        "The text was not in the character set that the request declared, or was cut off, so"
        " some characters may be wrong or missing.",
    ),
    "control": Label(
        "Control characters",
        "warn",
        "It contained a character that cannot be stored and was replaced.",
    ),
    "time": Label(
        "No time",
        "warn",
        "The provider gave no time, or one that cannot be read, so the time of arrival is shown.",
    ),
    "time-ambiguous": Label(
        "Time ambiguous",
        "warn",
        "It arrived in the hour that repeats when clocks go back, so its time may be an hour off.",
    ),
    "no-id": Label(
        "No id",
        "warn",
        "The provider gave no id, so repeats are recognised only by text and time.",
    ),
    "no-source": Label("No sender", "warn", "The sender is unknown, so nobody can reply."),
    "no-dest": Label("No number", "warn", "The provider did not say which number was texted."),
    "no-msg": Label("No text", "warn", "The forward carried no text."),
    "unknown-number": Label(
        "Unknown number", "warn", "It was sent to a number that is not set up here."
    ),
    "id-reused": Label(
        "Id used twice",
        "warn",
        "The provider used the same id for another text, so no rule answers it.",
    ),
    "repeated": Label(
        "Field repeated", "warn", "A field was sent more than once; the first was used."
    ),
}

STATUSES = {
    OutboundStatus.QUEUED: Label("Queued", meaning="It will be sent in a moment."),
    OutboundStatus.HELD: Label("Held", "warn"),
    OutboundStatus.SENDING: Label("Being sent"),
    OutboundStatus.UNCERTAIN: Label(
        "Uncertain",
        "warn",
        "The provider gave no clear answer: it may or may not have been sent. It is not sent again"
        " until that is known.",
    ),
    OutboundStatus.SENT: Label(
        "Sent", "plain", "Accepted by the provider; delivery not yet confirmed."
    ),
    OutboundStatus.DELIVERED: Label("Delivered", "good"),
    OutboundStatus.UNDELIVERED: Label("Not delivered", "bad", "The network could not deliver it."),
    OutboundStatus.FAILED: Label("Failed", "bad"),
    OutboundStatus.EXPIRED: Label("Expired", "bad", "It could not be sent in time."),
    OutboundStatus.CANCELLED: Label("Cancelled", "plain", "It was cancelled before it was sent."),
}

HELD = {
    "account": "The provider account cannot send now; Letterbox keeps trying.",
    "configuration": "The call did not reach the provider; Letterbox tries again.",
    "daily-limit": "The number has reached the provider's daily limit; it is sent tomorrow.",
}

OUTCOMES = {
    Outcome.REPLIED: "Answered by the rule {rule}",
    Outcome.NO_RULE: "No rule answers this",
    Outcome.COOLDOWN: "Not answered again: the rule {rule} answered a short while ago",
    Outcome.QUIET: "Not answered: another text came within seconds and was answered",
    Outcome.OPTED_OUT: "Not answered: the sender has opted out",
    Outcome.OPT_OUT: "The sender opted out with this text",
    Outcome.OPT_OUT_UNSURE: "Not answered: possibly an opt-out. If it is, opt the sender out",
    Outcome.OPT_IN: "The sender opted back in with this text",
    Outcome.BUDGET: "Not answered: the sender has had as many automatic replies as are allowed",
    Outcome.TOO_OLD: "Not answered: it arrived too late for an automatic reply",
    Outcome.EXPIRED: "Not answered: the automatic reply could not go out in time",
    Outcome.UNANSWERABLE: "Not answered: this sender cannot receive texts",
}


SILENCES = {
    Outcome.COOLDOWN: "it had answered the sender a short while ago",
    Outcome.QUIET: "another text came within seconds and was answered",
    Outcome.OPTED_OUT: "the sender had opted out",
    Outcome.OPT_OUT: "the text was an opt-out",
    Outcome.OPT_OUT_UNSURE: "the text looks like an opt-out",
    Outcome.OPT_IN: "the text was an opt-in",
    Outcome.BUDGET: "the sender had had as many automatic replies as are allowed",
    Outcome.TOO_OLD: "the text arrived too late",
    Outcome.EXPIRED: "the reply could not go out in time",
    Outcome.UNANSWERABLE: "the sender cannot receive texts",
    "blank": "the reply was blank after placeholders were filled",
    "id-reused": "the text's id had been used before",
}


def explain_silence(code: str) -> str:
    """Why a rule would not have answered a text that it matches."""
    return SILENCES.get(code, code)


def explain_problem(code: str) -> Label:
    """What was odd about an incoming text."""
    return PROBLEMS.get(code, Label(code, "warn", f"The code {code} was noted."))


def explain_status(text: OutboundText, now: datetime) -> Label:
    """The state of an outgoing text, with the provider's reason if it failed."""
    status = OutboundStatus(text.status)
    word = STATUSES[status]
    if status is OutboundStatus.QUEUED and text.schedule_at and text.schedule_at > now:
        return Label("Scheduled", "plain", "It will be sent at that time.")
    if status is OutboundStatus.SENT and text.schedule_at and text.schedule_at > now:
        return Label("Scheduled", "plain", "The provider holds it until then.")
    meaning = HELD.get(text.held_reason or "", "") or word.meaning
    reason = _explain_error(text)
    return Label(word.text, word.tone, " ".join(each for each in (reason, meaning) if each))


def explain_outcome(
    code: str | None, rule_name: str | None, conditions: Sequence[str], *, is_handled: bool
) -> str:
    """Which rule answered an incoming text and by which conditions, or why none did."""
    if code is None:
        return "" if is_handled else "Just arrived"
    if code not in set(Outcome):
        return code
    rule = f"“{rule_name}”" if rule_name else "that has since been deleted"
    if code == Outcome.REPLIED and rule_name:
        why = ", and ".join(conditions) or "it answers every text"
        return f"{OUTCOMES[Outcome.REPLIED].format(rule=rule)}: {why}"
    return OUTCOMES[Outcome(code)].format(rule=rule)


def _explain_error(text: OutboundText) -> str:
    error = text.error
    if error is None:
        return f"The provider says {text.provider_status}." if _is_telling(text) else ""
    code = f" (code {error.code})" if error.code is not None else ""
    reason = f"{error.text}{code}".strip()
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}."


def _is_telling(text: OutboundText) -> bool:
    """Whether the provider's own status says more than ours."""
    return text.status == OutboundStatus.FAILED and bool(text.provider_status)
