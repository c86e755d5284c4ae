"""/members: the people who use the pages."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call, MemberId
from app.api.core.enums import ApiMemberState, ApiRole, NewMemberState
from app.api.core.etags import IfMatch
from app.api.core.lists import CREATED, LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import Changes, Member, MemberWithLink, Page, Sent, Text
from app.domain.access.members import LONGEST_MEMBER_NAME
from app.flows.access.invite import Invitation, invite, renew_link, write_link
from app.flows.conversations import change_member as changing
from app.storage.access import members

router = make_router("/members", "admin")

Name = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=LONGEST_MEMBER_NAME,
        description="no other member has it, in whatever case",
        examples=["Ada"],
    ),
]


class MemberInvite(Sent):
    """Somebody to invite."""

    name: Name
    role: ApiRole = Field(description="what they may do on the pages")


class MemberChanges(Changes):
    """What to change; what is left out stays."""

    name: Name = Field(default_factory=str)
    role: ApiRole = Field(default="office", description="what they may do on the pages")
    state: NewMemberState = Field(
        default="active",
        description="`deactivated` ends their sessions at once; `active` lets them sign in again",
    )


class MemberQuery(ListQuery):
    """The filters of /members."""

    state: Annotated[ApiMemberState | None, Field(description="only those in this state")] = None


@router.get("", responses=LINK_HEADER)
async def list_members(call: Call, query: Annotated[MemberQuery, Query()]) -> Page[Member]:
    """List the members, newest first."""
    return await answer_list(call, query, members.list_members, Member.model_validate)


@router.post("", status_code=201, responses=CREATED)
async def invite_member(body: MemberInvite, call: Call) -> MemberWithLink:
    """Invite somebody; the link by which they choose a password is in this answer alone."""
    made = await invite(call.database, body.name, body.role, who=call.actor, now=call.now)
    shown = _show_link(call, made)
    call.locate(f"/members/{shown.id}")
    return shown


@router.get("/{id}")
async def get_member(id: MemberId, call: Call) -> Member:
    """Get one member."""
    return Member.model_validate(await call.database.read(members.get_member, id))


@router.patch("/{id}")
async def change_member(id: MemberId, body: MemberChanges, call: Call, if_match: IfMatch) -> Member:
    """Change a member's name, role or state; the last active admin stays one."""
    changed = await changing.change_member(
        call.database,
        id,
        body.model_dump(exclude_unset=True),
        check=if_match.checking(Member.model_validate),
        who=call.actor,
        now=call.now,
    )
    return Member.model_validate(changed)


@router.delete("/{id}", status_code=204)
async def deactivate_member(id: MemberId, call: Call, if_match: IfMatch) -> None:
    """Deactivate a member: the same as the state `deactivated`, for what they did names them."""
    await changing.change_member(
        call.database,
        id,
        {"state": "deactivated"},
        check=if_match.checking(Member.model_validate),
        who=call.actor,
        now=call.now,
    )


@router.post("/{id}/invitation", status_code=201)
async def renew_invitation(id: MemberId, call: Call) -> MemberWithLink:
    """Create another link for a member, by which they choose a new password; older ones end."""
    made = await renew_link(call.database, id, who=call.actor, now=call.now)
    return _show_link(call, made)


def _show_link(call: Call, made: Invitation) -> MemberWithLink:
    shown = Member.model_validate(made.member).model_dump()
    link = write_link(call.runtime.settings.base_url, made.token)
    return MemberWithLink(**shown, link=link, link_expires_at=made.expires_at)
