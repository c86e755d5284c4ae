"""Remembers which PostgreSQL server was written to last, so that an old primary is refused.

After a standby was promoted, the old primary may still be reachable, or come back. Whatever it
accepted from then on would be lost.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from app.domain.errors import DatabaseAway
from app.storage.durable import write_file

FILE = "servers.json"


class Server(NamedTuple):
    """A cluster by its system identifier, and the timeline that it writes."""

    system: str
    timeline: int


class OldServer(DatabaseAway):
    """Another server has replaced this one."""


@dataclass
class Servers:
    """What all processes of a data folder have seen; without a `path`, this one alone.

    `address` is that of the database: whoever names another one means it.
    """

    address: str
    path: Path | None = None
    newest: Server | None = None
    # The newest timeline of each system; the systems of each address, in order of appearance.
    _timelines: dict[str, int] = field(default_factory=dict)
    _systems: dict[str, list[str]] = field(default_factory=dict)
    # The file when it was last read. Its time alone is too coarse to tell two writes apart.
    _read: tuple[int, int, int] = (0, 0, 0)

    def admit(self, server: Server) -> None:
        """Note a server that can be written to. Raises OldServer if it has been replaced."""
        self.look()
        systems = self._systems.setdefault(self.address, [])
        known = self._timelines.get(server.system, 0)
        if server.timeline < known:
            raise OldServer(
                f"the server writes timeline {server.timeline}, and timeline {known} was written to"
                f" before: it is an old primary, or an old copy of it; {self._say_what_to_do()}"
            )
        if server.system in systems[:-1]:
            raise OldServer(
                "another server with another system identifier has taken its place;"
                f" {self._say_what_to_do()}"
            )
        if systems[-1:] != [server.system] or server.timeline > known:
            if server.system not in systems:
                systems.append(server.system)
            self._timelines[server.system] = server.timeline
            self._keep()
        self.newest = server

    def look(self) -> None:
        """Read what other processes have seen."""
        if self.path is None:
            return
        try:
            written = _look_at(self.path)
            if written == self._read:
                return
            found = json.loads(self.path.read_bytes())
            timelines = {str(system): int(each) for system, each in found["timelines"].items()}
            systems = {str(name): list(map(str, each)) for name, each in found["systems"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return
        self._read = written
        self._timelines = _take_greater(self._timelines, timelines)
        self._systems = self._systems | systems
        mine = self._systems.get(self.address)
        if mine and self.newest is not None:
            self.newest = Server(mine[-1], self._timelines.get(mine[-1], 0))

    def is_behind(self, server: Server | None) -> bool:
        """Whether another one has replaced it; None is a server that could not be identified."""
        return server is not None and self.newest is not None and server != self.newest

    def _keep(self) -> None:
        if self.path is None:
            return
        data = {"timelines": self._timelines, "systems": self._systems}
        try:
            write_file(self.path, json.dumps(data).encode())
            self._read = _look_at(self.path)
        except OSError:
            # If the disk is full, only this process remembers.
            return

    def _say_what_to_do(self) -> str:
        if self.path is None:
            return "connect to the new primary"
        return f"connect to the new primary, or remove {self.path} if this one is to be used again"


def _look_at(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _take_greater(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {key: max(one.get(key, 0), other.get(key, 0)) for key in one.keys() | other.keys()}
