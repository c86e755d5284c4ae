"""Magic numbers: destinations and values that make the provider answer or behave in one way."""

from collections.abc import Iterable

from app.simulator.actions.codes import ERROR_TEXTS
from app.simulator.state.faults import Fault

_PREFIX = "447700900"

ENDING_NUMBERS: dict[str, str] = {
    f"{_PREFIX}800": "stays-pending",
    f"{_PREFIX}801": "stays-sent",
    f"{_PREFIX}802": "Expired",
    f"{_PREFIX}803": "Failed",
    f"{_PREFIX}804": "Undeliverable",
    f"{_PREFIX}805": "Command_Rejected",
    f"{_PREFIX}806": "Command_Failed",
    f"{_PREFIX}807": "stays-unknown",
    f"{_PREFIX}808": "unknown-then-delivered",
    f"{_PREFIX}809": "unheard-of-word",
    f"{_PREFIX}810": "sent-after-delivered",
    f"{_PREFIX}811": "delivered-after-an-hour",
    f"{_PREFIX}812": "failed-then-delivered",
}
"""Numbers whose messages are taken and end in one way; the endings stand in `progress`."""

FAULT_NUMBERS: dict[str, Fault] = {
    f"{_PREFIX}900": Fault(kind="slow", taken=True),
    f"{_PREFIX}901": Fault(kind="slow", taken=False),
    f"{_PREFIX}902": Fault(kind="silence", taken=True, seconds=60),
    f"{_PREFIX}903": Fault(kind="silence", taken=False, seconds=60),
    f"{_PREFIX}904": Fault(kind="reset", taken=True),
    f"{_PREFIX}905": Fault(kind="reset", taken=False),
    f"{_PREFIX}906": Fault(kind="cut", taken=True),
    f"{_PREFIX}907": Fault(kind="status", taken=True, status=500),
    f"{_PREFIX}908": Fault(kind="status", taken=False, status=503),
    f"{_PREFIX}909": Fault(kind="html", taken=True, status=200),
    f"{_PREFIX}910": Fault(kind="html", taken=False, status=200),
    f"{_PREFIX}911": Fault(kind="empty", taken=True),
    f"{_PREFIX}912": Fault(kind="empty", taken=False),
    f"{_PREFIX}913": Fault(kind="code", taken=True, code=-300),
    f"{_PREFIX}914": Fault(kind="code", taken=True, code=-301),
}
"""Numbers that make the whole Send go wrong on the wire."""

CODE_NUMBERS: dict[str, int] = {f"{_PREFIX}{-code}": code for code in ERROR_TEXTS}
"""Numbers that are refused with the code of their last three digits."""


def magic_code(value: str) -> int | None:
    """The code that a value is refused with, or None for an ordinary one."""
    return CODE_NUMBERS.get(value.strip())


def magic_fault(numbers: Iterable[str]) -> Fault | None:
    """The fault of the first number that has one."""
    for number in numbers:
        if fault := FAULT_NUMBERS.get(number.strip()):
            return fault
    return None


def list_magic_numbers() -> dict[str, str]:
    """What a send to each of them does, for the simulator's page and its documentation."""
    meanings = {
        **{
            number: f"refused with {code} {ERROR_TEXTS[code]}"
            for number, code in CODE_NUMBERS.items()
        },
        **{number: f"ends: {name}" for number, name in ENDING_NUMBERS.items()},
        **{number: _describe(fault) for number, fault in FAULT_NUMBERS.items()},
    }
    return dict(sorted(meanings.items()))


def _describe(fault: Fault) -> str:
    taken = "taken" if fault.taken else "not taken"
    if fault.kind == "slow":
        side = "taken, then" if fault.taken else "taken only after"
        return f"slow: {side} {fault.seconds:g} s of waiting"
    if fault.kind == "silence":
        return f"silence: {taken}, and no answer for {fault.seconds:g} s"
    if fault.kind == "status":
        return f"status: {taken}, and answered with HTTP {fault.status}"
    if fault.kind == "code":
        return f"code: {taken}, and answered with {fault.code}"
    words = {
        "reset": "the connection is reset",
        "cut": "the connection is reset in the middle of the answer",
        "html": "answered with a proxy's HTML page",
        "empty": "answered with an empty body",
    }
    return f"{fault.kind}: {taken}, and {words[fault.kind]}"
