"""Who adopts a spool's folder, after kills and in races: somebody, and once."""

import errno
import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.storage.spool.spool import Spool, SpoolError, adopt
from tests.support.faulty_disk import FaultyDisk
from tests.support.spools import adopt_only, drain, encode, write_dead_spool


class DiskUnderWatch(FaultyDisk):
    """Before each call an adopter looks at the spool."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.adopted: list[Spool] = []
        self._root = root

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        self.adopted += adopt(self._root).spools
        super().mkdir(path, mode)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        self.adopted += adopt(self._root).spools
        return super().open(path, flags, mode)

    def rename(self, src: Path, dst: Path) -> None:
        self.adopted += adopt(self._root).spools
        super().rename(src, dst)


def test_a_folder_in_the_making_is_adopted_by_nobody(
    root: Path, make_id: Callable[[], str]
) -> None:
    disk = DiskUnderWatch(root)
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    assert drain(spool) == [b"one"]
    assert disk.adopted == []


def test_a_name_that_is_taken_is_not_taken_twice(root: Path) -> None:
    names = iter(["same", "same", "other"])
    first = Spool.create(root, make_id=lambda: next(names))
    second = Spool.create(root, make_id=lambda: next(names))
    assert (first.id, second.id) == ("same", "other")
    with pytest.raises(SpoolError, match="no free name"):
        Spool.create(root, make_id=lambda: "same")


@pytest.mark.parametrize("name", ["refused", "damaged", "../up", "", "lost+found"])
def test_a_name_that_means_something_else_is_refused(root: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        Spool.create(root, make_id=lambda: name)


def test_closing_an_empty_spool_removes_its_folder(root: Path, make_id: Callable[[], str]) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"one"])
    drain(spool)
    spool.close()
    spool.close()
    assert list(root.iterdir()) == []
    with pytest.raises(ValueError, match="drained"):
        spool.append([b"too late"])


def test_a_closed_spool_with_records_is_adopted_and_then_removed(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"one", b"two"])
    spool.close()
    assert {path.name for path in spool.folder.iterdir()} == {"lock", "0000000001.segment"}
    adopted = adopt_only(root)
    assert (adopted.id, adopted.depth) == (spool.id, 2)
    assert adopted.disk_bytes == len(encode(b"one", b"two"))
    with pytest.raises(ValueError, match="drained"):
        adopted.append([b"three"])
    assert drain(adopted) == [b"one", b"two"]
    adopted.close()
    assert list(root.iterdir()) == []


def test_a_folder_whose_process_lives_is_left_alone(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    assert adopt(root).spools == []
    disk.die()
    adopted = adopt_only(root)
    assert adopt(root).spools == []
    assert drain(adopted) == [b"one"]


def test_only_folders_of_the_spool_are_adopted(root: Path) -> None:
    assert adopt(root).spools == []
    write_dead_spool(root, encode(b"one"))
    for name in ("refused", "damaged", "lost+found", ".hidden"):
        (root / name).mkdir()
    (root / "file").write_text("not a folder")
    write_dead_spool(root.parent / "elsewhere", encode(b"two"))
    (root / "link").symlink_to(root.parent / "elsewhere" / "dead")
    assert adopt_only(root).id == "dead"
    assert list((root / "lost+found").iterdir()) == []


def test_a_folder_that_died_before_it_held_anything_is_removed(root: Path) -> None:
    write_dead_spool(root)
    adopted = adopt_only(root)
    assert adopted.read(max_records=1, max_bytes=1) is None
    adopted.close()
    assert list(root.iterdir()) == []


def test_one_folder_that_cannot_be_opened_does_not_keep_the_others(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    for record in (b"one", b"two"):
        spool = Spool.create(root, make_id=make_id)
        spool.append([record])
        spool.close()
    disk.fail("open", errno.EACCES)
    adoption = adopt(root, files=disk)
    assert [drain(spool) for spool in adoption.spools] == [[b"two"]]
    [failure] = adoption.failures
    assert "spool-1 failed (Permission denied)" in str(failure)


def test_a_segment_that_cannot_be_read_now_gives_the_lock_back(
    root: Path, disk: FaultyDisk
) -> None:
    write_dead_spool(root, encode(b"one"))
    disk.fail("pread", errno.ENOMEM)
    assert len(adopt(root, files=disk).failures) == 1
    assert drain(adopt_only(root)) == [b"one"]


APPEND_FOR_EVER = """
import sys
from pathlib import Path
from app.storage.spool.spool import Spool

spool = Spool.create(Path(sys.argv[1]), make_id=lambda: "writer", segment_bytes=20_000)
number = 0
while True:
    group = range(number, number + 1 + number % 7)
    spool.append([b"%06d-" % n + b"x" * (n % 900) for n in group])
    number = group.stop
    print(number, flush=True)
"""


def test_everything_acknowledged_survives_kill_9(root: Path) -> None:
    command = [sys.executable, "-c", APPEND_FOR_EVER, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = list(itertools.islice(process.stdout, 60))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout
    acknowledged = int(lines[-1])
    adopted = adopt_only(root)
    numbers = [int(record[:6]) for record in drain(adopted)]
    adopted.close()
    assert numbers == list(range(len(numbers)))
    assert acknowledged <= len(numbers) <= acknowledged + 7
    assert adopted.damaged == []


ADOPT_AND_HOLD = """
import sys
from pathlib import Path
from app.storage.spool.spool import adopt

print("ready", flush=True)
sys.stdin.readline()
print(*(spool.id for spool in adopt(Path(sys.argv[1])).spools), flush=True)
sys.stdin.readline()
"""


def test_processes_that_race_adopt_each_folder_once(root: Path, make_id: Callable[[], str]) -> None:
    for _ in range(100):
        spool = Spool.create(root, make_id=make_id, files=FaultyDisk(syncs=False))
        spool.append([b"one"])
        spool.close()
    command = [sys.executable, "-c", ADOPT_AND_HOLD, str(root)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        pipes = [(p.stdin, p.stdout) for p in processes if p.stdin and p.stdout]
        assert [output.readline() for _, output in pipes] == ["ready\n"] * 3
        for given, _ in pipes:
            given.write("go\n")
            given.flush()
        adopted = [name for _, output in pipes for name in output.readline().split()]
    finally:
        for process in processes:
            process.communicate("stop\n")
    assert sorted(adopted) == sorted(f"spool-{number}" for number in range(1, 101))


def test_folders_that_come_and_go_under_racing_adopters_are_delivered_once(root: Path) -> None:
    delivered: list[bytes] = []
    counter = itertools.count()
    finished = threading.Event()

    def write_spools() -> None:
        for number in range(150):
            spool = Spool.create(
                root, make_id=lambda: f"s{next(counter)}", files=FaultyDisk(syncs=False)
            )
            spool.append([b"%d" % number])
            spool.close()

    def adopt_until_done() -> None:
        while not finished.is_set() or (root.exists() and list(root.iterdir())):
            adoption = adopt(root, files=FaultyDisk(syncs=False))
            assert adoption.failures == []
            for spool in adoption.spools:
                delivered.extend(drain(spool))
                spool.close()

    with ThreadPoolExecutor(4) as pool:
        adopters = [pool.submit(adopt_until_done) for _ in range(3)]
        try:
            pool.submit(write_spools).result()
        finally:
            finished.set()
        for adopter in adopters:
            adopter.result()
    assert sorted(map(int, delivered)) == list(range(150))
