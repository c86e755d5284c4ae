"""Cores: the server under test has one to itself; everything else runs on another."""

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]  # it ships no types


@dataclass(frozen=True, slots=True)
class Cores:
    """`server` and `load` are core numbers, None if the machine has only one.

    `is_shared`: servers may use the load's core as well.
    """

    server: int | None
    load: int | None
    is_shared: bool = False

    def describe(self) -> str:
        if self.server is None:
            return "server, load and PostgreSQL share what cores there are: not pinned"
        return (
            f"the server's process on core {self.server}; the load, and PostgreSQL for everyone"
            f" alike, on core {self.load}, unless a table says otherwise"
        )

    def prefix(self, *, everywhere: bool = False) -> list[str]:
        """What to put before a server's command, so that it and its threads stay on its core.

        `everywhere`: it may use the load's core as well, as several processes must.
        """
        if self.server is None or self.load is None:
            return []
        is_everywhere = everywhere or self.is_shared
        cores = f"{self.server},{self.load}" if is_everywhere else str(self.server)
        return [sys.executable, "-m", "benchmarks.servers.cores", cores]

    def place(self, pid: int) -> None:
        """Move a process without threads, and its children, to where servers run."""
        if self.server is None or self.load is None:
            return
        cores = {self.server, self.load} if self.is_shared else {self.server}
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(member.pid, cores)


def claim_cores() -> Cores:
    """Pin this process, and with it whatever it starts without `Cores.prefix`, to the load's core.

    Must come before threads and child processes, which inherit it.
    """
    if not hasattr(os, "sched_setaffinity"):
        return Cores(None, None)
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return Cores(None, None)
    os.sched_setaffinity(0, {usable[1]})
    return Cores(usable[0], usable[1])


def stop_process(process: subprocess.Popen[bytes], timeout_seconds: float = 15.0) -> None:
    """SIGTERM, then SIGKILL: a benchmark leaves no process behind."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """Pin this process to the cores in the first argument and run the command that follows."""
    os.sched_setaffinity(0, {int(core) for core in sys.argv[1].split(",")})
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
