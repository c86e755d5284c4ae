"""Copies of spools that somebody writes to."""

import threading
from pathlib import Path

from app.storage.spool.copies import copy_spools
from app.storage.spool.quarantine import refuse
from app.storage.spool.spool import Spool
from tests.support.service import wait_until
from tests.support.storage.spools import adopt_only


def test_a_copy_has_every_record_that_was_there_when_it_began(tmp_path: Path) -> None:
    root = tmp_path / "spool"
    appended = 0
    is_over = threading.Event()

    def append() -> None:
        nonlocal appended
        spool = Spool.create(root, iter(["one.1"]))
        while not is_over.is_set():
            spool.append([b"%d" % appended] * 20)
            appended += 20
        spool.close()

    writer = threading.Thread(target=append)
    writer.start()
    try:
        wait_until(lambda: appended > 0)
        for copy in range(5):
            before = appended
            copy_spools(root, tmp_path / f"copy-{copy}")
            copied = adopt_only(tmp_path / f"copy-{copy}")
            assert copied.depth >= before
            assert len(copied.rescue()) == copied.depth
            copied.close()
    finally:
        is_over.set()
        writer.join()


def test_a_copy_has_what_was_set_aside_and_needs_no_spool(tmp_path: Path) -> None:
    root = tmp_path / "spool"
    kept = refuse(root, b"record", "too odd")
    copy_spools(root, tmp_path / "copy")
    assert (tmp_path / "copy" / "refused" / kept.name).read_bytes() == kept.read_bytes()
    copy_spools(tmp_path / "nowhere", tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
