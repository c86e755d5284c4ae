"""The codes and states of the interface, by name: generated clients have one type for each."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from app.domain.access.credentials import Scope
from app.domain.access.members import MemberState, Role
from app.domain.inbound import messages
from app.domain.rules import hours
from app.domain.rules.rule_preview import Risk
from app.domain.webhooks import payloads
from app.flows.operations.export import Order
from app.flows.outbound.sending.resolve import ResolvedOutcome
from app.storage.conversations import people
from app.storage.conversations.conversations import Needs, State
from app.storage.outbound import batches
from app.storage.outbound.sending import sender
from app.storage.rules import opt_outs
from app.storage.webhooks import deliveries, endpoints

MessageVia = TypeAliasType(
    "MessageVia",
    Annotated[
        messages.Via,
        Field(
            description="How a text came: forwarded, forwarded while the database was away, or read"
            " in the provider's report"
        ),
    ],
)
ProblemCode = TypeAliasType(
    "ProblemCode",
    Annotated[
        messages.Problem,
        Field(description="What was odd about a text; docs/reference/rest.md explains each code"),
    ],
)
OutcomeCode = TypeAliasType(
    "OutcomeCode",
    Annotated[
        Literal[
            "replied",
            "no-rule",
            "cooldown",
            "quiet",
            "opted-out",
            "opt-out",
            "opt-out-unsure",
            "opt-in",
            "budget",
            "too-old",
            "expired",
            "unanswerable",
        ],
        Field(description="What became of a text; docs/reference/rules.md explains each code"),
    ],
)
EventFormat = TypeAliasType(
    "EventFormat",
    Annotated[
        Literal["object", "webhook"],
        Field(description="What the data of a streamed event is: the object, or a webhook's body"),
    ],
)
WebhookType = TypeAliasType(
    "WebhookType",
    Annotated[
        payloads.WebhookType,
        Field(description="What a webhook can hear of; docs/guides/webhooks.md explains each type"),
    ],
)
WebhookState = TypeAliasType(
    "WebhookState",
    Annotated[
        endpoints.State,
        Field(description="Whether the last attempt succeeded; `disabled`: nothing is delivered"),
    ],
)
DeliveryState = TypeAliasType(
    "DeliveryState",
    Annotated[
        deliveries.DeliveryState,
        Field(
            description="`waiting`: it is attempted, perhaps again; `failed`: it was given up after"
            " ten attempts"
        ),
    ],
)
Weekday = TypeAliasType(
    "Weekday",
    Annotated[
        hours.Day,
        Field(description="A day of the week"),
    ],
)
ApiScope = TypeAliasType(
    "ApiScope",
    Annotated[Scope, Field(description="What a key may do; docs/reference/rest.md explains each")],
)
ApiRole = TypeAliasType(
    "ApiRole",
    Annotated[
        Role,
        Field(
            description="What a member may do on the pages: `office` reads and answers texts,"
            " `admin` does everything"
        ),
    ],
)
ApiMemberState = TypeAliasType(
    "ApiMemberState",
    Annotated[
        MemberState,
        Field(description="`invited` members have not signed in yet, `deactivated` ones cannot"),
    ],
)
NewMemberState = TypeAliasType(
    "NewMemberState",
    Annotated[Literal["active", "deactivated"], Field(description="Whether a member may sign in")],
)
OptOutReason = TypeAliasType(
    "OptOutReason",
    Annotated[
        opt_outs.Reason,
        Field(description="Who or what opted the number out"),
    ],
)
OutboundStatus = TypeAliasType(
    "OutboundStatus",
    Annotated[
        Literal[
            "queued",
            "held",
            "sending",
            "uncertain",
            "sent",
            "delivered",
            "undelivered",
            "failed",
            "expired",
            "cancelled",
        ],
        Field(description="Where a text stands; docs/reference/rest.md explains each status"),
    ],
)
AttemptFate = TypeAliasType(
    "AttemptFate",
    Annotated[
        Literal["certainly not taken", "certainly refused", "certainly taken", "unknown"],
        Field(description="Whether the provider took a text with one call"),
    ],
)
ResolvedAs = TypeAliasType(
    "ResolvedAs",
    Annotated[
        ResolvedOutcome,
        Field(description="It went out after all, is to be sent again, or is given up"),
    ],
)
SchedulerName = TypeAliasType(
    "SchedulerName",
    Annotated[
        Literal["letterbox", "provider"],
        Field(description="Who keeps a text until its time"),
    ],
)
BatchState = TypeAliasType(
    "BatchState",
    Annotated[
        batches.BatchState,
        Field(
            description="`loading` and `draft`: not approved yet; `queueing` while its texts are"
            " made, `cancelling` while they are cancelled"
        ),
    ],
)
SenderState = TypeAliasType(
    "SenderState",
    Annotated[
        sender.State,
        Field(
            description="`paused` by somebody; `stopped` by an error about the account, or because"
            " the provider gives no proper answer: it runs again by itself once that works"
        ),
    ],
)
SortOrder = TypeAliasType(
    "SortOrder",
    Annotated[Order, Field(description="Newest first, or oldest first")],
)
UserAccessLevel = TypeAliasType(
    "UserAccessLevel",
    Annotated[
        Literal["Normal", "Admin"],
        Field(description="What a child user may do: an Admin may create users of its own"),
    ],
)
LoopSign = TypeAliasType(
    "LoopSign",
    Annotated[
        Risk,
        Field(description="What looks like a machine; docs/reference/rest.md explains each sign"),
    ],
)
ConversationState = TypeAliasType(
    "ConversationState",
    Annotated[State, Field(description="Whether somebody still has to look after a conversation")],
)
ConversationNeeds = TypeAliasType(
    "ConversationNeeds",
    Annotated[Needs, Field(description="What somebody has to do in a conversation")],
)
NameSource = TypeAliasType(
    "NameSource",
    Annotated[
        people.NameSource,
        Field(
            description="Typed by a person or program, from the merge fields of their newest text"
            " that had a name, or from the provider's contacts; the first of these wins"
        ),
    ],
)
