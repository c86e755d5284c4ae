"""Numbers that come from the store: no page reads them as if somebody had typed them."""

from pathlib import Path

import pytest
from sqlalchemy import select

from app.storage.db.database import Connection
from app.storage.tables.outbound import outbound
from app.storage.tables.rules import opt_outs
from tests.support.messages import make_message
from tests.web.visiting import visiting_with_account

# British, and of Cape Verde, São Tomé and Eritrea: in the region these look national.
SENDERS = [
    ("DE", "447700900123"),
    ("GB", "2389912345"),
    ("GB", "2399912345"),
    ("GB", "2917123456"),
    ("GB", "12345678"),
]


@pytest.mark.parametrize(("region", "sender"), SENDERS)
async def test_a_reply_and_an_opt_out_are_for_the_number_that_wrote(
    region: str, sender: str, sqlite_url: str, tmp_path: Path
) -> None:
    def read(conn: Connection) -> tuple[list[str], list[str]]:
        sent = list(conn.execute(select(outbound.c.to_number)).scalars())
        return sent, list(conn.execute(select(opt_outs.c.number)).scalars())

    async with visiting_with_account(sqlite_url, tmp_path, default_region=region) as visitor:
        await visitor.receive(make_message(1, source=sender))
        await visitor.submit("/conversations/1/reply", {"body": "Hello"})
        await visitor.submit("/conversations/1/opt-out", {"out": "1"})
        assert await visitor.running.runtime.database.read(read) == ([sender], [sender])
