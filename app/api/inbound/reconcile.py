"""/reconcile: compare what arrived with the provider's report now."""

from datetime import datetime, timedelta

from pydantic import Field

from app.api.core.calls import Call
from app.api.core.filters import TimeFilter
from app.api.core.routing import make_router
from app.api.core.schemas import Sent, Shown, Time
from app.domain.errors import InvalidInput

router = make_router("/reconcile", "admin", acts_at_provider=True)

DEFAULT_PERIOD = timedelta(hours=24)
LONGEST_PERIOD = timedelta(days=31)
# Further off, nothing can be added to a time.
YEARS = range(2000, 3000)


class ReconcileRequest(Sent):
    """Which part of time to look at."""

    since: TimeFilter = Field(None, alias="from", description="a day before `to` where absent")
    until: TimeFilter = Field(
        None, alias="to", description="now where absent; the last ten minutes are left alone"
    )


class Reconciliation(Shown):
    """What a comparison found; texts of the last ten minutes are left alone."""

    since: Time = Field(serialization_alias="from", description="what it compared from")
    until: Time = Field(
        serialization_alias="to", description="what it compared to: ten minutes ago at most"
    )
    reported: int = Field(description="rows of the report")
    missing: int = Field(description="of them, texts that were unknown here and now are stored")
    unreadable: int = Field(description="of them, rows without a time or an id that we know")


@router.post("")
async def reconcile(call: Call, body: ReconcileRequest | None = None) -> Reconciliation:
    """Compare the messages with the provider's InboundMessages report, and store what is
    missing.

    This runs by itself every RECONCILE_SECONDS; 409 where it does at the moment.
    """
    asked = body or ReconcileRequest.model_validate({})
    since, until = find_period(asked, call.now)
    found = await call.runtime.make_reconciler().run_window(since, until)
    call.runtime.note_reconciliation(found)
    period = {"from": since.isoformat(), "to": until.isoformat()}
    await call.note("reconcile.run", "messages", **period, missing=found.missing)
    return Reconciliation.model_validate(found)


def find_period(asked: ReconcileRequest, now: datetime) -> tuple[datetime, datetime]:
    """Raises InvalidInput."""
    until = asked.until or now
    for time, field in ((asked.since, "from"), (asked.until, "to")):
        if time is not None and time.year not in YEARS:
            raise InvalidInput(
                f"write a time from {YEARS[0]} to {YEARS[-1]}", field=field, code="out-of-range"
            )
    since = asked.since or until - DEFAULT_PERIOD
    if not since <= until <= since + LONGEST_PERIOD:
        raise InvalidInput("write a period of at most 31 days", field="from", code="out-of-range")
    return since, until
