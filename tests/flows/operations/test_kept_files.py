"""Alerts of files that the spool keeps for a person end when somebody has removed the file."""

from pathlib import Path

import pytest

from app.flows.operations.alarms.raise_alarms import close_removed
from app.flows.operations.deferred_writes import DeferredWrites
from app.flows.operations.processes.metrics import Metrics
from app.storage.data_dir import DataDir
from app.storage.db.database import Database
from app.storage.operations.alerts import Alert, list_alerts, raise_alert
from app.storage.spool.quarantine import Quarantine, refuse
from tests.conftest import NOW


def open_quarantine(path: Path) -> Quarantine:
    return DataDir.open(path).open_quarantine()


async def list_open(database: Database) -> list[Alert]:
    return await database.read(list_alerts, before=None, limit=9, is_open=True)


async def tell(database: Database, quarantine: Quarantine, record: bytes) -> Path:
    """A record is refused, and an alert says so."""
    path = refuse(quarantine.root, record, "for a test")
    deferred_writes = DeferredWrites(
        Metrics(), quarantine, now=lambda: NOW, wake=lambda: None, is_ours=lambda _: False
    )
    deferred_writes.on_refused(path)
    [alert] = deferred_writes.take().alerts
    text, action = alert.text, alert.action
    await database.write(raise_alert, alert.kind, alert.subject, text=text, action=action, now=NOW)
    return path


async def test_only_who_sees_the_folder_ends_its_alerts(database: Database, tmp_path: Path) -> None:
    one, two = (open_quarantine(tmp_path / name) for name in ("one", "two"))
    path = await tell(database, one, b"a record")
    await tell(database, two, b"a record")
    alerts = await list_open(database)
    assert len({alert.subject for alert in alerts}) == 2
    path.unlink()
    await close_removed(database, two, NOW)
    assert await list_open(database) == alerts
    await close_removed(database, open_quarantine(tmp_path / "one"), NOW)
    assert await list_open(database) == alerts[:1]


async def test_a_folder_that_is_away_says_nothing(database: Database, tmp_path: Path) -> None:
    quarantine = open_quarantine(tmp_path / "data")
    await tell(database, quarantine, b"a record")
    alerts = await list_open(database)
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    await close_removed(database, quarantine, NOW)
    # Another folder in its place is none of its files' either.
    await close_removed(database, open_quarantine(tmp_path / "data"), NOW)
    assert await list_open(database) == alerts
    (tmp_path / "data" / "folder-id").unlink()
    (tmp_path / "data").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "data")
    (quarantine.root / "refused").rename(tmp_path / "looked-at")
    await close_removed(database, quarantine, NOW)
    assert await list_open(database) == []


async def test_a_folder_without_a_mark_tells_and_ends_nothing(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "folder-id").mkdir()  # as good as a disk that takes no file
    quarantine = open_quarantine(tmp_path)
    path = await tell(database, quarantine, b"a record")
    [alert] = await list_open(database)
    assert alert.subject == f"refused/{path.name}"
    path.unlink()
    await close_removed(database, quarantine, NOW)
    assert await list_open(database) == [alert]


async def test_a_file_that_the_disk_does_not_tell_of_is_not_gone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine = open_quarantine(tmp_path)
    await tell(database, quarantine, b"a record")

    def fail(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(Path, "lstat", fail)
    await close_removed(database, quarantine, NOW)
    assert len(await list_open(database)) == 1
