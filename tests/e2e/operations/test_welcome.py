"""What `serve` tells a newcomer at a terminal, and what it keeps from a log."""

import os
import pty
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.service import (
    LETTERBOX,
    Service,
    find_free_port,
    make_environment,
    wait_until,
)

SECRETS = {
    "inbound_auth": "a&b $HOME 'c' %41",
    "api_key": """an-api-key-"with"-$HOME-'and'-32-chars""",
}


@contextmanager
def serving_on_terminal(
    folder: Path, **settings: str | None
) -> Iterator[tuple[Service, list[str]]]:
    """A service whose stdout is a terminal, with what it shows there; its log is a file."""
    port = find_free_port()
    log = folder.parent / "log"
    ours, theirs = pty.openpty()
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [LETTERBOX, "serve"],
            env=make_environment(data_dir=folder, port=port, **settings),
            cwd=folder.parent,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=stderr,
            start_new_session=True,
        )
    os.close(theirs)
    service = Service(process, port, folder, log)
    try:
        service.wait_until_ready()
        shown = ""
        while "everything else in" not in shown:
            shown += os.read(ours, 65536).decode()
        yield service, shown.replace("\r\n", "\n").splitlines()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        os.close(ours)


def find_line(lines: list[str], beginning: str) -> str:
    return next(line.strip() for line in lines if line.strip().startswith(beginning))


@pytest.mark.parametrize("secrets", [{"inbound_auth": None, "api_key": None}, SECRETS])
def test_the_commands_on_a_terminal_work_as_they_stand(
    tmp_path: Path, secrets: dict[str, str | None]
) -> None:
    with serving_on_terminal(tmp_path / "data", **secrets) as (service, lines):
        link = urlsplit(find_line(lines, f"{service.url}/sign-in?link="))
        assert service.ask(f"{link.path}?{link.query}").status == 200
        auth = find_line(lines, "auth  ").removeprefix("auth  ")
        stored = tmp_path / "data" / "inbound_auth"
        assert auth == (secrets["inbound_auth"] or stored.read_text().strip())
        _, url = shlex.split(find_line(lines, f'curl "{service.url}/inbound'))
        taken = service.ask(url.removeprefix(service.url))
        assert (taken.status, taken.body) == (200, b"OK")
        _, _, header, url = shlex.split(find_line(lines, "curl -H"))
        name, _, value = header.partition(": ")
        wait_until(lambda: "texts_arrived" in service.read_log(), what=service.log)
        listed = service.ask(url.removeprefix(service.url), headers={name: value})
        [message] = listed.json["items"]
        assert message["body"] == "Hello"
        assert message["problems"] == []
        assert re.search(r"texts_arrived .*count=1", service.read_log())
        key = value.removeprefix("Bearer ")
        for secret in (auth, key, link.query, message["source"]):
            assert secret not in service.read_log()
