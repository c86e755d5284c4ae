"""/inbound and the auth values: which of them open, even while looking them up goes wrong."""

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, text

from app.domain.access.credentials import Admission
from app.domain.errors import LetterboxError, Unavailable
from app.flows.access import auth_gate
from app.flows.access.auth_gate import AuthGate
from app.flows.access.configure import add_number, rotate_auth
from app.flows.inbound import receive
from tests.support.kit import Kit, open_kit
from tests.support.service import AUTH


@pytest.mark.parametrize(
    ("changes", "reason", "advice"),
    [
        ({"auth": "wrong-one"}, "wrong-auth", "check the auth value"),
        ({"auth": ""}, "missing-auth", "no auth value"),
    ],
)
async def test_a_wrong_auth_leaves_nothing_but_a_refusal(
    kit: Kit, changes: dict[str, str], reason: str, advice: str
) -> None:
    answer = await kit.forward(**changes)
    assert (answer.status_code, advice in answer.text) == (403, True)
    await kit.runtime.housekeeper.write_deferred()
    assert (await kit.get("/messages"))["items"] == []
    [refusal] = (await kit.get("/refusals"))["items"]
    assert (refusal["reason"], refusal["dest"]) == (reason, "447700900456")
    assert "wrong-one" not in json.dumps(refusal)


async def test_a_number_added_elsewhere_opens_at_once(kit: Kit) -> None:
    made = await add_number(
        kit.runtime.database, "447700900456", region="GB", who="cli:test", now=kit.runtime.now()
    )
    assert (await kit.forward(auth=made.value)).status_code == 200
    assert (await kit.forward("2", dest="447700900789", auth=AUTH)).status_code == 200
    page = await kit.get("/messages")
    assert [message["problems"] for message in page["items"]] == [["unknown-number"], []]


async def test_a_numbers_own_auth_does_not_open_another_number(kit: Kit) -> None:
    database, now = kit.runtime.database, kit.runtime.now()
    made = await add_number(database, "447700900456", region="GB", who="cli:test", now=now)
    await add_number(database, "447700900457", region="GB", who="cli:test", now=now)
    assert (await kit.forward(dest="447700900457", auth=made.value)).status_code == 403
    assert (await kit.forward(dest="", auth=made.value)).status_code == 200


async def test_after_a_rotation_both_values_open_until_the_older_one_ends(kit: Kit) -> None:
    database = kit.runtime.database
    old = await add_number(
        database, "447700900456", region="GB", who="cli:test", now=kit.runtime.now()
    )
    new = await rotate_auth(database, "447700900456", who="cli:test", now=kit.runtime.now())
    for value in (old.value, new.value):
        assert (await kit.forward(auth=value)).status_code == 200
    await kit.runtime.housekeeper.write_deferred()
    shown = await kit.get("/numbers/447700900456")
    assert all(auth["last_seen_at"] for auth in shown["auth"])


@pytest.mark.parametrize("secret", ["cl\u00e9-de-la-porte", "pass+word-of-1"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.alike
async def test_an_auth_value_opens_in_whatever_charset_it_is_written(
    database_url: str, tmp_path: Path, secret: str, encoding: str, quoted: bool
) -> None:
    async with open_kit(database_url, tmp_path / "other", inbound_auth=secret) as kit:
        written = quote(secret, encoding=encoding).encode() if quoted else secret.encode(encoding)
        told: asyncio.Future[LetterboxError | None] = asyncio.get_running_loop().create_future()
        query = b"dest=447700900456&msg=Hi&id=1&auth=" + written
        kit.runtime.receiver.take("GET", query, b"", b"", "192.0.2.1", told.set_result)
        assert await told is None


@pytest.mark.parametrize("error", [RuntimeError("damaged"), KeyError("x"), OSError(5, "I/O")])
@pytest.mark.alike
async def test_whatever_the_look_up_raises_the_caller_is_answered(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: Connection) -> Admission:
        raise error

    monkeypatch.setattr(auth_gate, "read_admission", fail)
    for _ in range(2):
        answer = await kit.forward(auth="unknown")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert (await kit.forward()).status_code == 200
    monkeypatch.undo()
    assert (await kit.forward(auth="unknown")).status_code == 403


async def test_a_table_that_is_missing_leaves_no_caller_without_an_answer(kit: Kit) -> None:
    await kit.runtime.database.write(lambda conn: conn.execute(text("DROP TABLE number_auths")))
    assert (await kit.forward(auth="unknown")).status_code == 503
    assert (await kit.forward()).status_code == 200


async def test_a_look_up_that_hangs_is_not_waited_for(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "LOOK_UP_SECONDS", 0.1)
    monkeypatch.setattr(kit.runtime.auth_gate, "read_again", asyncio.Event().wait)
    assert (await kit.forward(auth="unknown")).status_code == 503


async def test_who_waits_for_a_look_up_when_the_service_stops_is_told(kit: Kit) -> None:
    receiver = kit.runtime.receiver
    told: list[LetterboxError | None] = []
    receiver.take("GET", b"auth=unknown&msg=Hi", b"", b"", "192.0.2.1", told.append)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    [waiting] = receiver._looking_up
    waiting.cancel()
    await asyncio.wait({waiting})
    assert [type(each) for each in told] == [Unavailable]


async def test_many_wrong_values_ask_the_database_no_more_than_twenty_times_a_second(
    kit: Kit,
) -> None:
    gate = kit.runtime.auth_gate
    await gate.read_again()
    began = asyncio.get_running_loop().time()
    for _ in range(4):
        await asyncio.gather(*(gate.read_again() for _ in range(50)))
    # A clock of the loop may tick a little early.
    assert asyncio.get_running_loop().time() - began >= 3 * 0.05 - 0.01


async def test_known_values_open_while_the_database_is_away(kit: Kit) -> None:
    # A gate made anew from the file that the first one wrote, over a database that is closed.
    made = await add_number(
        kit.runtime.database, "447700900456", region="GB", who="cli:test", now=kit.runtime.now()
    )
    await kit.runtime.auth_gate.refresh()
    gate = AuthGate(kit.runtime.database, kit.runtime.data_dir.auth_cache, "another")
    known = gate.admission.recognise(made.value.encode(), kit.runtime.now())
    assert known is not None
    assert gate.admission.serves(known, "447700900456")
    assert gate.admission.recognise(b"unknown", kit.runtime.now()) is None
