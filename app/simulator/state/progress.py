"""How a sent message's status advances: a plan made when it is taken, read by the clock."""

from datetime import datetime, timedelta
from typing import NamedTuple

from app.simulator.state.final_statuses import ENDINGS, FINAL_WORDS
from app.simulator.state.switches import StatusSwitches


class Step(NamedTuple):
    """A status and the instant it begins."""

    at: datetime
    status: str


def plan_steps(
    ending: str, taken_at: datetime, due_at: datetime, validity: timedelta, switches: StatusSwitches
) -> tuple[Step, ...]:
    """Lay out every status of a message in advance, Pending first.

    What would come after the validity's end does not come: the message is Expired then.
    """
    offsets = {
        "sent": timedelta(seconds=switches.sent_after_seconds),
        "settled": timedelta(seconds=switches.settled_after_seconds),
        "late": timedelta(seconds=switches.late_after_seconds),
        "hour": timedelta(hours=1),
        "expiry": validity,
    }
    steps = [Step(taken_at, "Pending")]
    for moment, word in ENDINGS[ending]:
        if offsets[moment] > validity:
            if steps[-1].status not in FINAL_WORDS:
                steps.append(Step(due_at + validity, "Expired"))
            break
        steps.append(Step(due_at + offsets[moment], word))
    return tuple(steps)


def status_at(steps: tuple[Step, ...], instant: datetime) -> str | None:
    current = None
    for step in steps:
        if step.at <= instant:
            current = step.status
    return current
