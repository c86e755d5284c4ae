"""The audit trail on its page: sentences for every action, menus as filters, plain values."""

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest

import app as package
from app.domain.webhooks.payloads import TYPES
from app.storage.access.audit import AuditEntry, add_audit, list_audit_actions, list_audit_actors
from app.storage.access.members import add_member
from app.storage.db.database import Database
from app.web.access.audit_sentences import ACTIONS, describe_detail, write_sentence
from tests.conftest import NOW
from tests.web.visiting import Visitor

CODE = re.compile(r"[a-z]+(-[a-z]+)*\.[a-z]+([-_][a-z]+)*")
AUDITING = {"add_audit", "note_action", "audit_action", "note"}


def list_files() -> list[Path]:
    return list(Path(str(package.__file__)).parent.rglob("*.py"))


def list_codes() -> set[str]:
    """What looks like an action in the files that write to the audit trail."""
    found = set()
    for file in list_files():
        tree = ast.parse(file.read_text())
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        passed = [node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)]
        names = {getattr(each, "attr", getattr(each, "id", "")) for each in (*calls, *passed)}
        if not names & AUDITING:
            continue
        found |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and CODE.fullmatch(node.value)
        }
    # Kinds of events for webhooks look the same.
    return {each for each in found - set(TYPES) if not each.startswith("letterbox.")}


def test_every_action_that_the_code_writes_has_its_sentence_and_every_sentence_an_action() -> None:
    assert list_codes() <= set(ACTIONS)
    code = "".join(file.read_text() for file in list_files() if file.name != "audit_sentences.py")
    assert [action for action in ACTIONS if f'"{action}"' not in code] == []


def make_entry(action: str, subject: str, **detail: object) -> AuditEntry:
    return AuditEntry(1, NOW, "member:mem_1", action, subject, detail, None)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (make_entry("rule.create", "3", name="Away", enabled=True), "created the rule Away"),
        (make_entry("rule.remove", "3"), "removed the rule 3"),
        (make_entry("number.add", "447700900100"), "added the number +44 7700 900100"),
        (make_entry("member.role", "2", name="Grace", role="admin"), "gave Grace the role admin"),
        (make_entry("session.end", "Ada"), "signed out"),
        (make_entry("session.end", "Grace", of_another=True), "signed out Grace"),
        (make_entry("key.create", "3", name="{oddly} named"), "created the API key {oddly} named"),
        (make_entry("rule.create", ""), "created the rule (no longer kept)"),
        (make_entry("conversation.assign", "4", to=2), "assigned a conversation to Grace"),
        (make_entry("conversation.assign", "4", to=None), "assigned a conversation to nobody"),
        (make_entry("of-later.kind", "7"), "of-later.kind 7"),
    ],
)
def test_an_entry_is_a_sentence(entry: AuditEntry, sentence: str) -> None:
    assert write_sentence(entry, {2: "Grace"}) == sentence


def test_values_are_for_people() -> None:
    entry = make_entry(
        "rule.change",
        "3",
        name="Away",
        changes={"enabled": [True, False], "keyword": [None, "away"], "days": [[], ["mon", "tue"]]},
        old_ends_at="2026-06-02T12:00:00+00:00",
        reason="",
        merge_field_names={"1": "visit"},
        count=0,
    )
    assert describe_detail(entry) == [
        "enabled: yes → no",
        "keyword: none → away",
        "days: none → mon, tue",
        "the old value ends: 2 Jun 2026, 12:00 UTC",
        "names of merge fields: 1 = visit",
        "number of texts: 0",
    ]


def test_numbers_and_changes_of_texts_are_written_for_people() -> None:
    written = make_entry("outbound.create", "1", to="447700900123", source="Shop")
    assert describe_detail(written) == ["to: +44 7700 900123", "source: Shop"]
    assert describe_detail(make_entry("outbound.change", "1", changed=["text changed"])) == [
        "text changed"
    ]


async def test_menus_offer_what_there_is(database: Database) -> None:
    assert await database.read(list_audit_actors) == []
    for actor, action in (("key:b", "rule.create"), ("cli:a", "rule.create"), ("key:b", "key.x")):
        await database.write(add_audit, actor, action, "1", {}, NOW)
    assert await database.read(list_audit_actors) == ["cli:a", "key:b"]
    assert await database.read(list_audit_actions) == ["key.x", "rule.create"]


async def test_the_page_filters_by_menus_and_names_people(visitor: Visitor) -> None:
    database = visitor.running.runtime.database
    grace = await database.write(add_member, "Grace <b>", "office", "active", NOW)
    later = NOW + timedelta(minutes=1)
    detail = {"name": "Away <i>", "enabled": False}
    await database.write(add_audit, grace.actor, "rule.create", "1", detail, later)
    await database.write(add_audit, "session:Ada", "rule.remove", "1", {"name": "Old"}, later)
    page = await visitor.read("/audit")
    assert '<option value="session:Ada">Ada (before members)</option>' in page
    assert f'<option value="{grace.actor}">Grace &lt;b&gt;</option>' in page
    assert '<option value="rule.create">Rule created</option>' in page
    for hidden in ("session:Ada</", "member:mem_", "True", "False"):
        assert hidden not in re.sub(r'value="[^"]*"', "", page)
    found = await visitor.read(f"/audit?actor={grace.actor}&action=rule.create")
    rows = found[found.index("<tbody>") :]
    assert "Grace &lt;b&gt;</strong>" in rows
    assert "created the rule Away &lt;i&gt;" in rows
    assert "enabled: no" in rows
    assert "removed the rule" not in rows
    assert "removed the rule Old" in page
