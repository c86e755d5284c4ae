"""The initial state of a simulated provider: accounts, numbers, lists, switches and faults."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from app.fault_words import describe_fault
from app.simulator.state.faults import Fault
from app.simulator.state.switches import Switches

AccountState = Literal["active", "suspended", "license-in-use", "license-expired", "no-license"]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{3,15}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountConfig(_Part):
    username: Annotated[str, StringConstraints(min_length=1)]
    token: Annotated[str, StringConstraints(min_length=1)]
    password: str = "secret"  # noqa: S105 - of an invented account
    credits: Annotated[Decimal, Field(ge=0)] = Decimal(1000)
    admin: bool = False
    parent: str | None = None
    state: AccountState = "active"
    allowed_sources: tuple[str, ...] | None = None
    blacklist: tuple[Digits, ...] = ()


class NumberConfig(_Part):
    """A virtual number and where its texts are forwarded, as in the provider's *manage VMN*."""

    number: Digits
    username: str
    url: str | None = None
    method: Literal["GET", "POST"] = "POST"
    auth: str = ""
    list: str | None = None


class ListEntry(_Part):
    """One member of a distribution list with up to five mail merge fields."""

    number: str
    name: str = ""
    email: str = ""
    fields: Annotated[tuple[str, ...], Field(max_length=5)] = ()


class ListConfig(_Part):
    name: Annotated[str, StringConstraints(min_length=1)]
    username: str
    entries: tuple[ListEntry, ...] = ()


class SimulatorConfig(_Part):
    """The initial state, to which a `reset` returns."""

    accounts: Annotated[tuple[AccountConfig, ...], Field(min_length=1)]
    numbers: tuple[NumberConfig, ...] = ()
    lists: tuple[ListConfig, ...] = ()
    switches: Switches = Switches()
    faults: tuple[Fault, ...] = ()
    seed: int = 1
    first_message_id: Annotated[int, Field(ge=1)] = 3509592
    first_inbound_id: Annotated[int, Field(ge=1)] = 8200001

    @model_validator(mode="after")
    def _check_owners(self) -> Self:
        names = {account.username for account in self.accounts}
        owners = {number.username for number in self.numbers}
        owners |= {one.username for one in self.lists}
        owners |= {account.parent for account in self.accounts if account.parent}
        if missing := owners - names:
            raise ValueError(f"no such account: {', '.join(sorted(missing))}")
        if len(names) < len(self.accounts):
            raise ValueError("two accounts have the same username")
        if len({account.token for account in self.accounts}) < len(self.accounts):
            raise ValueError("two accounts have the same token")
        return self


def demo_config(
    url: str | None = None, auth: str = "", method: Literal["GET", "POST"] = "POST"
) -> SimulatorConfig:
    """A small provider: one admin, one number, a list of five people."""
    names = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Mary Jackson", "Tim Paterson")
    entries = tuple(
        ListEntry(
            number=f"44770090001{index}",
            name=name,
            email=f"{name.split()[0].lower()}@example.com",
            fields=(name.split()[0], f"C-{1000 + index}"),
        )
        for index, name in enumerate(names)
    )
    return SimulatorConfig(
        accounts=(AccountConfig(username="demo", token="demo-token", admin=True),),  # noqa: S106 - invented
        numbers=(
            NumberConfig(
                number="447700900001",
                username="demo",
                url=url,
                method=method,
                auth=auth,
                list="customers",
            ),
        ),
        lists=(ListConfig(name="customers", username="demo", entries=entries),),
    )


def read_config(path: Path) -> SimulatorConfig:
    """Read a JSON file; raises OSError or pydantic's ValidationError."""
    return SimulatorConfig.model_validate_json(path.read_text("utf-8"))


def describe_problem(error: ValidationError) -> str:
    """What is wrong with a configuration or request, in one line that names each field."""
    problems = error.errors(include_url=False)
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'the whole'}: "
        + describe_fault(one["type"], one["input"], one.get("ctx", {}), one["msg"])
        for one in problems
    )
