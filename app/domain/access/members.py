"""Members: the people who use the pages, their roles, and how the audit trail names them."""

from collections.abc import Mapping
from typing import Literal, get_args

from app.domain.errors import InvalidInput
from app.domain.ids import encode_id, find_number
from app.domain.keywords import fold_text

# `office` reads and answers texts; `admin` may do everything.
Role = Literal["office", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
# `invited` until they first sign in; `deactivated` members cannot, and keep their history.
MemberState = Literal["invited", "active", "deactivated"]

LONGEST_MEMBER_NAME = 60
ACTOR_KIND = "member"


def check_member_name(name: str) -> str:
    """The name without extra white space. Raises InvalidInput for one that nobody could read."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_MEMBER_NAME or not name.isprintable():
        raise InvalidInput(f"write a name of 1 to {LONGEST_MEMBER_NAME} characters", field="name")
    if not make_name_key(name):
        raise InvalidInput("write a name that can be seen", field="name")
    return name


def make_name_key(name: str) -> str:
    """The same for all ways to write a name: two members' names differ in more than case."""
    return fold_text(" ".join(name.split()))


def write_actor(member_id: int) -> str:
    """`member:mem_3`, as the audit trail and histories name a member, whose name may change."""
    return f"{ACTOR_KIND}:{encode_id('mem', member_id)}"


def find_actor_member(actor: str) -> int | None:
    """The id in such an actor; None for a key, the command line or a session of earlier times."""
    kind, _, name = actor.partition(":")
    return (find_number("mem", name) or None) if kind == ACTOR_KIND else None


def describe_actor(actor: str, names: Mapping[int, str]) -> str:
    """Who did something, for people; `names` are the members' by id.

    `session:Ada` is how releases before members wrote it: a name that somebody had typed.
    """
    kind, _, name = actor.partition(":")
    if kind == ACTOR_KIND:
        return names.get(find_actor_member(actor) or 0, "a former member")
    return {
        "session": name,
        "key": f"a program ({name})",
        "cli": f"{name} on the command line" if name else "the command line",
        "stranger": "somebody",
    }.get(kind, actor)
