"""/credits and /users: the provider's account, and the child users below it."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated

from pydantic import Field, WithJsonSchema

from app.api.core.calls import Call
from app.api.core.enums import UserAccessLevel
from app.api.core.routing import make_router
from app.api.core.schemas import A_SENDER, Sent, Shown, Text
from app.domain.provider_errors import AccountError, PermanentError
from app.provider.actions import AccessLevel, NewUser
from app.provider.codes import NOT_ENOUGH_CREDITS

balance = make_router("/credits", "admin")
users = make_router("/users", "admin", acts_at_provider=True, fields={"username": "name"})

Word = Annotated[Text, Field(min_length=1, max_length=200)]
# JSON has no decimals: the schema names a text, which is exact; a number is taken as it is written.
AMOUNT = r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$"
Amount = Annotated[
    Decimal,
    Field(strict=False, max_digits=18, decimal_places=6),
    WithJsonSchema({"type": "string", "pattern": AMOUNT, "examples": ["12.50"]}),
]


class Balance(Shown):
    """What the account has left."""

    credits: str = Field(description="a decimal", examples=["1234.50"])


class UserCreate(Sent):
    """A child user to create."""

    username: Word = Field(description="the new user's name", examples=["front-desk"])
    password: Word = Field(description="to log in with; nothing here keeps it")
    access_level: UserAccessLevel = Field(
        "Normal", description="an Admin may create users of its own"
    )
    first_name: Word = Field(description="of whoever uses it", examples=["Ada"])
    last_name: Word = Field(description="of whoever uses it", examples=["Lovelace"])
    email: Word = Field(description="where the provider writes to", examples=["ada@example.com"])
    telephone: Annotated[Text, Field(max_length=40)] = Field(
        "", description="their number", examples=[A_SENDER]
    )
    credits: Annotated[Amount, Field(ge=0)] | None = Field(
        None, description="taken from the account; none where absent"
    )
    credit_reminder: Annotated[int, Field(ge=0)] | None = Field(
        None, description="at how many credits the provider writes an email"
    )
    alert_days: Annotated[int, Field(ge=0)] | None = Field(
        None, description="after how many days without activity it does"
    )


class CreatedUser(Shown):
    """The child user that was created."""

    username: str = Field(description="the new user's name", examples=["front-desk"])


class CreditMove(Sent):
    """Credits to move."""

    quantity: Annotated[
        Amount, Field(description="given to the user; below 0: taken back from the user")
    ]


@balance.get("")
async def get_credits(call: Call) -> Balance:
    """Get the balance of the provider's account."""
    return Balance(credits=f"{await call.runtime.get_provider().check_credits():f}")


@users.post("", status_code=201)
async def create_user(body: UserCreate, call: Call) -> CreatedUser:
    """Create a child user; only an admin account may."""
    given = body.model_dump()
    given["access_level"] = AccessLevel(body.access_level)
    given["credits"] = body.credits or Decimal(0)
    with _asking_too_much():
        await call.runtime.get_provider().create_user(NewUser(**given))
    await call.note("user.create", body.username, access_level=body.access_level)
    return CreatedUser(username=body.username)


@users.post("/{name}/credits", status_code=204)
async def move_credits(name: str, body: CreditMove, call: Call) -> None:
    """Give credits to a child user, or take them back."""
    with _asking_too_much():
        await call.runtime.get_provider().update_credits(name, body.quantity)
    await call.note("user.credits", name, quantity=f"{body.quantity:f}")


@contextmanager
def _asking_too_much() -> Iterator[None]:
    """Asking for more credits than the account has is the caller's error."""
    try:
        yield
    except AccountError as error:
        if error.code != NOT_ENOUGH_CREDITS:
            raise
        raise PermanentError(
            "the account has fewer credits than that",
            code=error.code,
            provider_text=error.provider_text,
            details=error.details,
        ) from None
