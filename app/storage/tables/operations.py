"""The tables of events, alerts, counts by day, processes and leases."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from app.storage.db.columns import BigId, UtcTime, add_partial_index, make_id, metadata

# How far rows of older releases have been updated. A name is deleted once nothing is left to do.
refills = Table(
    "refills",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False, comment="this row and those before wait"),
)

# How far indexes are fed that are filled apart from the rows: all rows up to there are in them,
# except those that still wait in `refills`.
index_progress = Table(
    "index_progress",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False, comment="up to this row all are indexed"),
)

alerts = Table(
    "alerts",
    metadata,
    make_id(),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    sqlite_autoincrement=True,
)
add_partial_index("alerts_open_idx", alerts, ["kind", "subject"], "closed_at IS NULL", unique=True)

# What GET /events streams, in commit order; rows older than seven days are deleted.
events = Table(
    "events",
    metadata,
    make_id(),
    Column("kind", Text, nullable=False),
    Column("subject_id", BigId, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("events_created_idx", "created_at"),
    sqlite_autoincrement=True,
)

# The running processes, and how many messages wait in each one's spool.
processes = Table(
    "processes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("spool_depth", Integer, nullable=False),
    Column("runs_workers", Boolean, nullable=False),
)

# What the worker processes count, written with their heartbeats, for /metrics of the web processes.
process_figures = Table(
    "process_figures",
    metadata,
    Column("process_id", Text, primary_key=True),
    Column("figures", JSON, nullable=False),
)

# The stored answers of Idempotency-Keys, each written in the transaction it belongs to.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", Text, primary_key=True, comment="the API key's id, or what stands for it"),
    Column("key", Text, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("idempotency_keys_created_idx", "created_at"),
)

# What only one process does at a time: its holder, and its last success.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("first_at", UtcTime, nullable=False, comment="when somebody first held it"),
    Column("succeeded_at", UtcTime, comment="when the last run that succeeded began"),
)

# What /stats shows: one row for each count of a number on a day.
daily_counts = Table(
    "daily_counts",
    metadata,
    Column("day", Text, primary_key=True, comment="YYYY-MM-DD in UTC"),
    Column("number_key", LargeBinary, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("value", BigInteger, nullable=False),
)

# Who is notified, what of, and how far. Addresses hold secrets: see app/domain/access/sealing.py.
notify_addresses = Table(
    "notify_addresses",
    metadata,
    make_id(),
    Column("source", Text, nullable=False, comment="page, or settings: from NOTIFY"),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="keyed"),
    Column("sealed", LargeBinary, comment="null where the address stands in NOTIFY"),
    Column("kind", Text, nullable=False, comment="the service, as in mailto"),
    Column("tail", Text, nullable=False, comment="the last characters"),
    Column("name", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("alerts", Boolean, nullable=False),
    Column("texts", Boolean, nullable=False),
    Column("numbers", JSON, nullable=False, comment="whose texts; [] is all"),
    Column("quiet_from", Text, comment="HH:MM in zone"),
    Column("quiet_until", Text),
    Column("summary_at", Text, comment="HH:MM in zone"),
    Column("zone", Text, nullable=False),
    Column("summary_on", Text, comment="the local day of the last summary"),
    Column("alerts_after", BigId, nullable=False, comment="the last event that was told"),
    Column("texts_after", BigId, nullable=False),
    Column("is_test_due", Boolean, nullable=False),
    Column("failures", Integer, nullable=False, comment="in a row, with one in progress"),
    Column("next_at", UtcTime, comment="not before, after a failure"),
    Column("sent_at", UtcTime),
    Column("last_error", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)
