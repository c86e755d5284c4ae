"""Letterbox on each release of PostgreSQL that this machine has.

`python -m tests.support.storage.postgres_releases` fetches 14 to 18 and runs more on them.
"""

from pathlib import Path

import pytest

from tests.support.kit import open_kit
from tests.support.storage.postgres import running_postgres
from tests.support.storage.postgres_place import find_binaries, usable_binaries


@pytest.mark.parametrize("binaries", usable_binaries() or [find_binaries()], ids=str)
async def test_texts_are_stored_handled_and_found(binaries: Path, tmp_path: Path) -> None:
    with running_postgres(binaries=binaries) as server:
        url = server.create_database("letterbox")
        async with open_kit(url, tmp_path / "data") as kit:
            rule = {"name": "hours", "keyword": "hours", "timezone": "UTC", "reply": "9 to 5"}
            made = await kit.client.post("/api/v1/rules", json=rule)
            assert made.status_code == 201, made.text
            for number, text in enumerate(
                ("Hours please", "Wo ist die Straße?", "Wo ist die Straße?")
            ):
                forwarded = await kit.forward(str(min(number, 1)), msg=text)
                assert forwarded.status_code == 200, forwarded.text
            await kit.handle()
            assert await kit.find() == ["1", "0"]
            assert await kit.find(q="straße") == ["1"]
            [reply] = (await kit.get("/outbound"))["items"]
            assert (reply["body"], reply["status"]) == ("9 to 5", "queued")
            seen = await kit.get("/outbound", order="asc")
            assert [each["id"] for each in seen["items"]] == [reply["id"]]
