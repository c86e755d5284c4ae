"""The actions CreateUser and UpdateCredits: child users and the credits they are lent."""

from decimal import Decimal, InvalidOperation

from app.simulator.actions.calls import Answer, Call
from app.simulator.actions.codes import RefusedError
from app.simulator.state.accounts import Account

_REQUIRED = (
    "ChildUsername",
    "ChildPassword",
    "AccessLevel",
    "FirstName",
    "LastName",
    "Email",
    "Credits",
)
_KEPT = ("FirstName", "LastName", "Email", "Telephone", "CreditReminder", "Alert")
_LEVELS = ("normal", "admin")


def create_user(call: Call) -> Answer:
    if missing := [name for name in _REQUIRED if not call.text(name).strip()]:
        raise RefusedError(-507, *(f"{name} is missing" for name in missing))
    if problems := _find_problems(call):
        raise RefusedError(-508, *problems)
    amount = _read_amount(call.text("Credits")) or Decimal(0)
    if amount > call.account.credits:
        raise RefusedError(-100, "You do not have enough credits for this user")
    call.account.credits -= amount
    child = Account(
        username=call.text("ChildUsername").strip(),
        token=call.world.accounts.make_token(),
        password=call.text("ChildPassword"),
        credits=amount,
        admin=call.text("AccessLevel").strip().casefold() == "admin",
        parent=call.account.username,
    )
    child.details = {name: call.text(name) for name in _KEPT if call.text(name)}
    call.world.accounts.add(child)
    return Answer("1")


def update_credits(call: Call) -> Answer:
    child = call.world.accounts.get(call.required("ChildUsername"))
    if child is None or child.parent != call.account.username:
        raise RefusedError(-509)
    quantity = _read_amount(call.required("Quantity"))
    if quantity is None:
        raise RefusedError(-702)
    if quantity > call.account.credits:
        raise RefusedError(-100)
    if child.credits + quantity < 0:
        raise RefusedError(-510)
    call.account.credits -= quantity
    child.credits += quantity
    return Answer("1")


def _find_problems(call: Call) -> list[str]:
    amount = _read_amount(call.text("Credits"))
    checks = (
        (not call.account.admin, "Only admin users can create users"),
        (
            call.world.accounts.get(call.text("ChildUsername").strip()) is not None,
            "Username is already in use",
        ),
        (
            call.text("AccessLevel").strip().casefold() not in _LEVELS,
            "AccessLevel must be Normal or Admin",
        ),
        ("@" not in call.text("Email"), "Email is not an email address"),
        (amount is None or amount < 0, "Credits must be a number, 0 or more"),
    )
    return [text for wrong, text in checks if wrong]


def _read_amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
