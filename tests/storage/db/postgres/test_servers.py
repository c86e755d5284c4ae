"""Which PostgreSQL server may be written to, after others have been."""

from pathlib import Path

import pytest

from app.domain.operations.database_url import name_address, split_hosts
from app.storage.db.postgres.servers import OldServer, Server, Servers

ONE, OTHER = "7714073238429453231", "7714073238429450000"


def test_a_timeline_that_goes_on_is_taken_and_one_that_goes_back_refused() -> None:
    servers = Servers("here")
    servers.admit(Server(ONE, 1))
    servers.admit(Server(ONE, 1))
    servers.admit(Server(ONE, 3))
    with pytest.raises(OldServer, match="timeline 1, and timeline 3"):
        servers.admit(Server(ONE, 1))
    assert servers.is_behind(Server(ONE, 1))
    assert not servers.is_behind(Server(ONE, 3))
    assert not servers.is_behind(None)


def test_a_cluster_whose_place_another_took_is_refused() -> None:
    servers = Servers("here")
    servers.admit(Server(ONE, 5))
    servers.admit(Server(OTHER, 1))  # made from a dump
    assert servers.is_behind(Server(ONE, 5))
    with pytest.raises(OldServer, match="another system identifier"):
        servers.admit(Server(ONE, 6))


def test_a_database_at_another_address_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    Servers("here", path).admit(Server(ONE, 5))
    Servers("there", path).admit(Server(OTHER, 1))
    Servers("here", path).admit(Server(ONE, 5))
    # Not so an old primary of the same cluster, whatever it is called by.
    with pytest.raises(OldServer, match=str(path)):
        Servers("elsewhere", path).admit(Server(ONE, 4))


def test_what_one_process_saw_every_other_knows(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    first, second = Servers("here", path), Servers("here", path)
    first.admit(Server(ONE, 1))
    second.admit(Server(ONE, 1))
    second.admit(Server(ONE, 2))
    assert not first.is_behind(Server(ONE, 1))
    first.look()
    assert first.is_behind(Server(ONE, 1))
    with pytest.raises(OldServer):
        first.admit(Server(ONE, 1))


def test_a_person_has_the_file_removed_where_an_old_server_is_to_be_used(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    Servers("here", path).admit(Server(ONE, 2))
    path.unlink()
    Servers("here", path).admit(Server(ONE, 1))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"timelines": 1}', b'{"timelines": {}, "systems": 7}']
)
def test_a_file_that_cannot_be_read_hinders_nobody(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "servers.json"
    path.write_bytes(content)
    servers = Servers("here", path)
    servers.admit(Server(ONE, 2))
    with pytest.raises(OldServer):
        Servers("here", path).admit(Server(ONE, 1))


def test_a_folder_that_cannot_be_written_leaves_the_memory_of_the_process(tmp_path: Path) -> None:
    servers = Servers("here", tmp_path / "missing" / "servers.json")
    servers.admit(Server(ONE, 2))
    with pytest.raises(OldServer):
        servers.admit(Server(ONE, 1))


@pytest.mark.parametrize(
    ("dsn", "hosts"),
    [
        ("postgresql://u:p@a:1/x?s=1", ["postgresql://u:p@a:1/x?s=1"]),
        ("postgresql://u:p,@a:1,b:2/x", ["postgresql://u:p,@a:1/x", "postgresql://u:p,@b:2/x"]),
        ("postgresql://a,[::1]:2/x", ["postgresql://a/x", "postgresql://[::1]:2/x"]),
        ("postgresql:///x?host=/tmp", ["postgresql:///x?host=/tmp"]),
    ],
)
def test_each_server_of_an_address_is_one_of_its_own(dsn: str, hosts: list[str]) -> None:
    assert split_hosts(dsn) == hosts


def test_an_address_is_named_without_its_secret() -> None:
    assert name_address("postgresql://u:one@a/x") == name_address("postgresql://v:two@a/x?y=1")
    assert name_address("postgresql://u:one@a/x") != name_address("postgresql://u:one@b/x")
    there, here = (name_address(f"postgresql:///x?host={each}") for each in ("/a", "/b"))
    assert there != here
