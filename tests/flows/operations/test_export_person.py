"""What a person is given: every place in which their number stands, and nobody's secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Column, LargeBinary, Text

from app.domain.inbound.messages import make_number_key
from app.domain.times import format_time
from app.domain.written_numbers import make_forms
from app.flows.operations.export_person import Exported, export_person, list_sections
from app.storage.access.audit import list_audit
from app.storage.db.columns import metadata
from app.storage.db.database import Database
from app.storage.operations.personal_data import number_walk
from app.storage.operations.personal_data.places import NO_PLACES, list_places
from tests.support.clock import NOW
from tests.support.kit import Kit, open_kit
from tests.support.seeded_number import ADA, OURS, seed_number
from tests.support.service import AUTH
from tests.support.simulated import simulated_in_process

GRACE = "447700900012"


async def export(database: Database, number: str = ADA) -> dict[str, Any]:
    exported = Exported()
    chunks = export_person(
        database, make_forms(number, "GB"), who="cli:ada", now=NOW, exported=exported
    )
    text = b"".join([chunk async for chunk in chunks]).decode()
    document: dict[str, Any] = json.loads(text)
    lists = [each for each in document.values() if isinstance(each, list)]
    assert exported.rows == sum(len(each) for each in lists)
    return document


def _is_shown(column: Column[Any], document: str) -> bool:
    """A column that has nothing but the number is shown under its name."""
    return f"{column} " in document or f'"{column.name}": "{ADA}"' in document


async def test_a_number_in_any_column_of_any_table_is_in_the_document(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_walk, "WINDOW_ROWS", 3)
    seeded = [place for table in metadata.sorted_tables for place in list_places(table)]
    await database.write(seed_number, seeded, NOW)
    document = await export(database)
    everything = json.dumps(document)
    assert [each for each in seeded if not _is_shown(each, everything)] == []
    assert len(seeded) > 80
    other = await export(database, GRACE)
    assert [each for each in other.values() if isinstance(each, list) and each] == []


def test_every_column_without_numbers_exists_and_holds_text() -> None:
    columns = {str(column): column for table in metadata.sorted_tables for column in table.c}
    assert NO_PLACES.keys() <= columns.keys()
    for name in NO_PLACES:
        assert isinstance(columns[name].type, Text | JSON | LargeBinary), name
    assert all("." in name and reason for name, reason in NO_PLACES.items())
    raw = metadata.tables["messages"].c.raw
    assert raw in set(list_places(raw.table))


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> Any:
    async with (
        simulated_in_process() as provider,
        open_kit(database_url, tmp_path / "data", provider.client) as opened,
    ):
        yield opened


async def _post(kit: Kit, path: str, body: dict[str, Any]) -> Any:
    answer = await kit.client.post(f"/api/v1{path}", json=body)
    assert answer.is_success, answer.text
    return answer.json()


async def _live(kit: Kit) -> None:
    """Ada and Grace each text, are answered, noted and named; Grace speaks of Ada."""
    for number, name in ((ADA, "Ada"), (GRACE, "Grace")):
        await kit.forward(f"{name}-1", source=number, dest=OURS, msg=f"{name} here", colour="red")
    await kit.forward("Grace-2", source=GRACE, dest=OURS, msg="Ask Ada, 07700 900123")
    await kit.handle()
    await kit.forward("Ada-2", source=ADA, dest=OURS, msg="not handled yet")
    for number, name in ((ADA, "Ada"), (GRACE, "Grace")):
        [talk] = (await kit.get("/conversations", source=number))["items"]
        await _post(kit, f"/conversations/{talk['id']}/notes", {"body": f"{name} is nice"})
        await _post(kit, "/opt-outs", {"number": number, "text": f"{name} rang"})
        person = {"name": name, "notes": f"{name}'s"}
        saved = await kit.client.put(f"/api/v1/people/{number}", json=person)
        assert saved.is_success, saved.text
    order = {"to": [ADA, GRACE], "source": OURS, "body": "Hello both", "force": True}
    queued = (await _post(kit, "/outbound", order))["items"]
    for each in queued:
        await _post(kit, f"/outbound/{each['id']}/cancel", {})


async def test_a_person_gets_what_is_theirs_and_where_others_speak_of_them(kit: Kit) -> None:
    await _live(kit)
    document = await export(kit.runtime.database)
    assert (document["number"], document["exported_at"]) == (ADA, format_time(NOW))
    first, second = document["messages"]
    assert (first["body"], second["body"]) == ("Ada here", "not handled yet")
    assert ["colour", "red"] in first["raw"]["parameters"]
    [text] = document["outbound"]
    assert (text["body"], text["to_number"], text["status"]) == ("Hello both", ADA, "cancelled")
    assert [each["status"] for each in document["status_changes"]] == ["queued", "cancelled"]
    assert [each["body"] for each in document["conversation_notes"]] == ["Ada is nice"]
    assert [each["text"] for each in document["opt_outs"]] == ["Ada rang"]
    assert [each["typed_name"] for each in document["people"]] == ["Ada"]
    [talk] = document["conversations"]
    assert (talk["source"], talk["last_message_id"], talk["state"]) == (ADA, first["id"], "open")
    done = {each["action"] for each in document["audit"]}
    assert {"conversation.note", "opt-out.add", "outbound.cancel", "person.change"} <= done
    [mention] = [each for each in document["mentions"] if each["table"] == "messages"]
    assert mention["body"] == "Ask Ada, 07700 900123"
    assert "source" not in mention


async def test_nothing_of_another_person_and_no_secret_is_in_the_document(kit: Kit) -> None:
    await _live(kit)
    everything = json.dumps(await export(kit.runtime.database))
    for foreign in (GRACE, "Grace here", "Grace is nice", "Grace rang", AUTH):
        assert foreign not in everything


async def test_an_export_is_audited_and_the_next_one_shows_it(database: Database) -> None:
    document = await export(database)
    assert [each for each in document.values() if isinstance(each, list) and each] == []
    assert [each.name for each in list_sections()] == list(document)[2:-1]
    [entry] = await database.read(list_audit, before=None, limit=9)
    assert (entry.actor, entry.action, entry.subject) == ("cli:ada", "person.export", ADA)
    assert [each["action"] for each in (await export(database))["audit"]] == ["person.export"]
    assert make_number_key(ADA).hex() not in json.dumps(document)
