"""The programs of the documentation run: clients, receivers of webhooks, the simulator."""

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.domain.webhooks.signing import derive_secret, show_secret, sign
from tests.docs.blocks import Block, list_blocks
from tests.docs.pages import ROOT
from tests.support.service import API_KEY, find_free_port, running, wait_until

pytestmark = pytest.mark.slow
# What is queued waits for it.
NOWHERE = "http://127.0.0.1:9/api"


def select(language: str) -> list[Block]:
    return [block for block in list_blocks() if block.language == language]


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT
    )


def test_every_program_is_one_of_those_below() -> None:
    pages = [block.page.stem for block in select("python") + select("js")]
    assert pages == [*["developers"] * 4, "webhooks", "simulator", "webhooks", "webhooks"]


def test_the_python_of_the_developers_guide_runs(tmp_path: Path) -> None:
    text = "\n".join(each.text for each in select("python") if each.page.stem == "developers")
    with running(tmp_path / "data", provider_url=NOWHERE, provider_token="any") as service:
        service.forward("1")
        program = f"KEY = {API_KEY!r}\n" + text.replace("http://127.0.0.1:8000", service.url)
        ran = run_python(program)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 3


def test_the_python_of_the_simulators_page_runs() -> None:
    [block] = [each for each in select("python") if each.page.stem == "simulator"]
    ran = run_python(block.text)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["1000.00", "1000.00", "Counter({'CheckCredits': 2})"]


SECRET = derive_secret(API_KEY, b"of the documentation")
EVENT = b'{"type": "message.received"}'


def sign_event(secret: bytes) -> dict[str, str]:
    return sign([secret], "evt_1", datetime.now(UTC), EVENT) | {"content-type": "application/json"}


async def test_the_receiver_in_python_takes_what_we_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", show_secret(SECRET))
    [block] = [each for each in select("python") if each.page.stem == "webhooks"]
    module: dict[str, Any] = {"__name__": "receiver"}
    exec(block.text, module)
    transport = httpx2.ASGITransport(module["app"])
    async with httpx2.AsyncClient(transport=transport, base_url="http://receiver") as client:
        good = await client.post("/texts", content=EVENT, headers=sign_event(SECRET))
        bad = await client.post("/texts", content=EVENT, headers=sign_event(b"another" * 5))
    assert (good.status_code, bad.status_code) == (204, 400)
    assert module["queue"].get_nowait() == json.loads(EVENT)


def test_the_receiver_in_javascript_takes_what_we_signed(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("without Node.js")
    with_library, plain = select("js")
    library = tmp_path / "library.mjs"
    library.write_text(with_library.text)
    # Its packages are on npm.
    subprocess.run([node, "--check", library], check=True, timeout=60)
    port, program = find_free_port(), tmp_path / "plain.mjs"
    program.write_text(plain.text)
    environment = os.environ | {"WEBHOOK_SECRET": show_secret(SECRET), "PORT": str(port)}
    with subprocess.Popen([node, program], env=environment, stdout=subprocess.PIPE) as process:
        try:
            wait_until(lambda: accepts(port), what="the receiver")
            url = f"http://127.0.0.1:{port}/texts"
            answers = [
                httpx2.post(url, content=EVENT, headers=headers).status_code
                for headers in (sign_event(SECRET), sign_event(b"another" * 5), {})
            ]
        finally:
            process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == b"message.received\n"
    assert answers == [204, 400, 400]


def accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
