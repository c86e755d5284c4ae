"""How Alembic reaches the database: over the connection that app/storage/db/migrate.py hands it."""

from alembic import context

import app.storage.tables  # noqa: F401 all register what they define
from app.storage.db.columns import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run `letterbox migrate`; Alembic's own command is for `alembic revision`")

context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
