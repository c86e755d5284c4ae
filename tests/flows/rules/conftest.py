"""What the tests of automatic replies share."""

import pytest

from app.storage.db.database import Database
from tests.flows.desk import Desk


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
async def shop(desk: Desk) -> Desk:
    """A number that confirms opt-outs, and a rule that answers everything."""
    await desk.add_number(opt_out_reply="You are out.")
    await desk.add_rule()
    return desk
