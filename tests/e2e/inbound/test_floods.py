"""Strangers flood the service, and the provider's forwards are answered all the same."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Scale
from tests.e2e.floods import FLOODS
from tests.e2e.load import sending
from tests.support.debian import find_program
from tests.support.service import Service, running, wait_until

# A forward's p99 at full size; a machine that runs other tests besides is given more time.
P99_SECONDS = 0.25
P99_SECONDS_AMID_OTHERS = 5.0
MANY = frozenset(
    {
        *("never-read", "read-slowly", "idle", "empty-lines", "slow-heads", "slow-bodies"),
        "slowhttptest",
    }
)
# They share a service.
pytestmark = pytest.mark.xdist_group("floods")


@contextmanager
def flooding(name: str, port: int, count: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.e2e.floods", name, str(port), str(count)]
    if name == "slowhttptest":
        url = f"http://127.0.0.1:{port}/docs"
        arguments = [
            "-X",
            "-c",
            str(count),
            "-r",
            "400",
            "-k",
            "3",
            "-l",
            "120",
            "-v",
            "0",
            "-u",
            url,
        ]
        command = [find_program(name), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
        assert process.poll() is None, "the flood has ended by itself"
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("floods") / "data") as started:
        yield started


@pytest.mark.soak
@pytest.mark.parametrize("name", [*FLOODS, "slowhttptest"])
def test_forwards_are_answered_amid_a_flood(service: Service, scale: Scale, name: str) -> None:
    count = scale.pick(100, 2000) if name in MANY else 40
    with flooding(name, service.port, count):
        time.sleep(scale.pick(1, 6))
        with sending(service.port, name=name, senders=4, pause_seconds=0.02) as load:
            time.sleep(scale.pick(1, 20))
        probes = [service.ask(path).status for path in ("/livez", "/readyz")]
    taken = sorted(each.seconds for each in load.forwards)
    p99 = taken[int(len(taken) * 0.99)]
    print(f"{name}: {len(taken)} forwards, p99 {p99 * 1000:.0f} ms, {taken[-1] * 1000:.0f} at most")
    assert load.count() == len(load.forwards)
    assert probes == [200, 200]
    assert p99 <= (P99_SECONDS if scale.full else P99_SECONDS_AMID_OTHERS)
    assert "Traceback" not in service.read_log()


@pytest.mark.soak
def test_more_connections_than_files_leave_room_for_forwards(tmp_path: Path, scale: Scale) -> None:
    """Each got an answer and then sent an empty line, which once made it immortal."""
    files = 600
    launcher = ["/bin/sh", "-c", f'ulimit -n {files}; exec "$0" "$@"']
    with (
        running(tmp_path / "data", launcher=launcher) as started,
        flooding("empty-lines", started.port, files * 2),
    ):
        wait_until(
            lambda: started.ask("/readyz").json["connections"]["status"] == "degraded",
            what=started.log,
        )
        with sending(started.port, name="files", senders=4, pause_seconds=0.02) as load:
            time.sleep(scale.pick(1, 20))
        ready = started.ask("/readyz").json
        log = started.read_log()
    assert load.count() == len(load.forwards)
    assert ready["connections"]["status"] == "degraded"
    assert log.count("connections_used_up") == 1
