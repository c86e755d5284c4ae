"""The ids in the files that pages offer: those that programs know."""

import csv
import io
from pathlib import Path

from tests.support.simulated import ADA
from tests.web.visiting import Visitor, visiting_with_account

RULE = {"name": "Hours", "reply": "We are open."}
TEXT = {"to": ADA, "source": "447700900100", "body": "We close at noon"}


async def read_rows(visitor: Visitor, path: str) -> list[dict[str, str]]:
    content = (await visitor.get(path)).content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content, newline="")))


async def test_a_file_names_rows_as_the_interface_for_programs_does(
    database_url: str, tmp_path: Path
) -> None:
    async with visiting_with_account(database_url, tmp_path) as visitor:
        await visitor.running.send("POST", "/rules", RULE)
        await visitor.running.send("POST", "/outbound", TEXT)
        listed = (await visitor.running.read("/outbound"))["items"]
        assert [row["id"] for row in await read_rows(visitor, "/outbox/csv")] == [listed[0]["id"]]
        audited = (await visitor.running.read("/audit"))["items"]
        subjects = [row["subject"] for row in await read_rows(visitor, "/audit/csv")]
        assert subjects == [entry["subject"] for entry in audited]
        assert {"out_1", "rul_1"} <= set(subjects)
