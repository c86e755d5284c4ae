"""Texts that wait, whoever wrote them, go out before their validity ends or not at all."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Those that have an end need no time any more. LEAST passes over a null, MIN does not.
ON_POSTGRESQL = """
UPDATE outbound SET send_before = LEAST(send_before,
    COALESCE(schedule_at, created_at) + make_interval(secs => validity_seconds))
WHERE status IN ('queued', 'held', 'sending', 'uncertain')
"""
ON_SQLITE = """
UPDATE outbound SET send_before = MIN(COALESCE(send_before, 9223372036854775807),
    COALESCE(schedule_at, created_at) + validity_seconds * 1000000)
WHERE status IN ('queued', 'held', 'sending', 'uncertain')
"""


def upgrade() -> None:
    is_postgresql = op.get_context().dialect.name == "postgresql"
    op.execute(ON_POSTGRESQL if is_postgresql else ON_SQLITE)
