"""The tables of erasures: what was removed, and digests that keep it from coming back."""

from sqlalchemy import JSON, Column, Index, LargeBinary, Table, Text

from app.storage.db.columns import UtcTime, make_id, metadata

# Numbers that were erased. The number itself is only there, sealed, until its erasure is finished.
erasures = Table(
    "erasures",
    metadata,
    make_id(),
    Column("number_digest", LargeBinary, nullable=False, comment="keyed"),
    Column("tail", Text, nullable=False, comment="the last three digits"),
    Column("sealed", LargeBinary, comment="the number; null once it is finished"),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("obstacle", Text, comment="why it is not finished yet"),
    Column("removed", JSON, nullable=False, comment="{place: {removed, changed}}"),
    Column("scan", JSON, comment="what the scan afterwards looked at, and found"),
    Index("erasures_digest_idx", "number_digest", "id"),
    sqlite_autoincrement=True,
)

# Keyed digests of what was removed, so that no late forward and no report brings it back. `digest`
# is that of a message's dedupe key, or of the provider's id of a text that went out.
tombstones = Table(
    "tombstones",
    metadata,
    make_id(),
    Column("kind", Text, nullable=False, comment="message or sent"),
    Column("digest", LargeBinary, nullable=False),
    Column("identity_digest", LargeBinary, comment="of dest, source and the provider's id"),
    Column("text_digest", LargeBinary, comment="of dest, source and text"),
    Column("via", Text, comment="how the message came"),
    Column("received_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Index("tombstones_digest_idx", "kind", "digest", unique=True),
    Index("tombstones_identity_idx", "identity_digest"),
    Index("tombstones_text_idx", "text_digest"),
    Index("tombstones_created_idx", "created_at"),
    sqlite_autoincrement=True,
)
