"""The running application, for every test of the REST interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.api.both import Both
from tests.api.post import open_post
from tests.api.running import running
from tests.support.fixtures import on_either, on_sqlite, shared_on_sqlite
from tests.support.simulated import simulated_in_process


@asynccontextmanager
async def open_both(database_url: str, folder: Path) -> AsyncIterator[Both]:
    """The application with the simulated provider at hand."""
    async with (
        simulated_in_process() as provider,
        running(database_url, folder, provider=provider.client) as api,
    ):
        yield Both(api, provider)


# The application, with a provider behind it (`post`), and with the simulated one at hand (`both`).
api = on_either(running)
lone_api = on_sqlite(running)
shared_lone_api = shared_on_sqlite(running)
post = on_either(open_post)
lone_post = on_sqlite(open_post)
# For tests that are refused and so leave it as it is.
shared_lone_post = shared_on_sqlite(open_post)
both = on_sqlite(open_both)
