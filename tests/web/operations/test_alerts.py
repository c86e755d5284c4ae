"""The page of alerts, as HTML."""

from typing import Any

from app.storage.operations.alerts import close_alert, raise_alert
from tests.conftest import NOW
from tests.web.visiting import Visitor


async def test_failed_texts_are_a_link_away_for_as_long_as_they_are(visitor: Visitor) -> None:
    database = visitor.running.runtime.database
    said: dict[str, Any] = {"text": "3 texts failed", "action": "Look at them.", "now": NOW}
    await database.write(lambda conn: raise_alert(conn, "texts-failed", "failed", **said))
    assert '<a href="/?view=attention">Show these texts</a>' in await visitor.read("/alerts")
    await database.write(lambda conn: close_alert(conn, "texts-failed", "failed", now=NOW))
    assert "Show these texts" not in await visitor.read("/alerts?state=all")
