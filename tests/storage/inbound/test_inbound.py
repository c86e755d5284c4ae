"""The batch insert: once each, in order, and errors told apart."""

from app.domain.inbound.queries import MessageFilter
from app.storage.db.database import Database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.search import list_messages
from tests.conftest import NOW
from tests.support.messages import make_message


async def test_a_batch_is_stored_once_and_in_order(database: Database) -> None:
    inserter = make_inserter(database)
    batch = [make_message(number) for number in (1, 2, 3, 2)]
    assert await inserter.insert(batch, NOW) == 3
    assert await inserter.insert(batch, NOW) == 0
    page = await database.read(list_messages, MessageFilter(), before=None, limit=10)
    assert [message.provider_id for message in page.messages] == ["3", "2", "1"]
    assert page.messages[0].received_at == NOW
    assert page.messages[0].merge_fields == {"name": "Anna"}
    inserter.abandon()
