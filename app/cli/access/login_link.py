"""`letterbox login-link`: how people come to the pages without a password."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from app.cli.core.offline import find_actor, run_on_database
from app.flows.access.invite import write_link
from app.flows.access.sign_in import make_login_link
from app.settings import Settings
from app.storage.db.database import Database


def login_link(
    *,
    name: Annotated[
        str, typer.Option(help="Who signs in. A name that no member has becomes an admin.")
    ] = "admin",
) -> None:
    """Raises InvalidInput for an invalid name, and Conflict for a deactivated member's."""

    async def write(database: Database, settings: Settings) -> str:
        token = await make_login_link(database, name, who=find_actor(), now=datetime.now(UTC))
        return write_link(settings.base_url, token)

    typer.echo(run_on_database(write))
