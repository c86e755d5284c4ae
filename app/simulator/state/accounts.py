"""Who may call: accounts with their tokens, credits and children."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from random import Random

from app.simulator.actions.codes import RefusedError
from app.simulator.state.config import AccountConfig, AccountState

_STATE_CODES: dict[AccountState, int] = {
    "suspended": -512,
    "license-in-use": -513,
    "license-expired": -514,
    "no-license": -515,
}


@dataclass(slots=True)
class Account:
    """One user of the provider."""

    username: str
    token: str
    password: str
    credits: Decimal
    admin: bool
    parent: str | None = None
    state: AccountState = "active"
    allowed_sources: frozenset[str] | None = None
    blacklist: set[str] = field(default_factory=set)
    details: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: AccountConfig) -> "Account":
        sources, blacklist = config.allowed_sources, set(config.blacklist)
        allowed = None if sources is None else frozenset(sources)
        given = config.model_dump() | {"allowed_sources": allowed, "blacklist": blacklist}
        return cls(**given)

    def as_json(self) -> dict[str, object]:
        shown = asdict(self)
        del shown["password"]
        sources = self.allowed_sources
        return shown | {
            "credits": str(self.credits),
            "allowed_sources": None if sources is None else sorted(sources),
            "blacklist": sorted(self.blacklist),
        }


class Accounts:
    def __init__(self, configs: Iterable[AccountConfig], random: Random) -> None:
        self._random = random
        self._by_name = {config.username: Account.from_config(config) for config in configs}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_name.values())

    def get(self, username: str) -> Account | None:
        return self._by_name.get(username)

    def authenticate(self, token: str) -> Account:
        """The account that a token belongs to.

        Raises RefusedError: -501 for an unknown token, else what the account's state forbids.
        """
        for account in self._by_name.values():
            if account.token == token:
                if code := _STATE_CODES.get(account.state):
                    raise RefusedError(code)
                return account
        raise RefusedError(-501)

    def add(self, account: Account) -> None:
        self._by_name[account.username] = account

    def make_token(self) -> str:
        """A new token from the seeded random numbers, so that runs can be repeated."""
        return f"{self._random.getrandbits(128):032x}"

    def visible_names(self, account: Account) -> frozenset[str]:
        """Whose messages an account's reports show: its own and, for an admin, its children's."""
        if not account.admin:
            return frozenset({account.username})
        children = [
            one.username for one in self._by_name.values() if one.parent == account.username
        ]
        return frozenset({account.username, *children})
