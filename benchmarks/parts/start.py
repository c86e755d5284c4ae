"""The start: the command's help, the first answers of `serve`, and its memory when idle."""

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Figure, Table, Target
from benchmarks.servers.contenders import (
    ENGINE_NAMES,
    LETTERBOX,
    Contender,
    DidNotStartError,
    Engine,
    fetch,
    migrate_database,
    running_server,
)
from benchmarks.servers.cores import Cores
from benchmarks.servers.provider import running_provider
from tests.support.storage.postgres import running_postgres

HELP_SECONDS = Target(0.15)
LIVE_SECONDS = Target(1)
PAGE_SECONDS = Target(0.5)
IDLE_MEGABYTES = Target(95)

SETTINGS = {"LETTERBOX_KEEP_DAYS": "90", "LETTERBOX_ADMIN_PASSWORD": "of the benchmarks"}
PAGE, REST = "/sign-in", "/openapi.json"
# The loops have taken their first turns by then.
IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock, and seconds computed, which do not depend on who else computes."""

    clock: float
    computed: float


@dataclass(frozen=True, slots=True)
class Start:
    """From its beginning to /livez, from there to the first page, then its memory in MB.

    `bare` is its memory before it has been asked for a page, `idle` after that, `with_rest` once
    the REST interface has been asked too; `share` is `idle` with shared pages counted in parts.
    """

    live: Cost
    page: Cost
    bare: float
    idle: float
    share: float
    with_rest: float


@dataclass(frozen=True, slots=True)
class Starts:
    """A value each round."""

    help: list[Cost]
    version: list[Cost]
    by_engine: dict[Engine, list[Start]]


def measure_starts(engines: Sequence[Engine], rounds: int, cores: Cores) -> Starts:
    """Commands and servers take turns, round by round. Raises DidNotStartError."""
    found = Starts([], [], {engine: [] for engine in engines})
    with (
        tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
        running_provider(Path(name)) as provider,
        _open_databases(engines, Path(name)) as urls,
    ):
        # Everything is on that settings turn on.
        settings = provider.settings | SETTINGS
        for engine, url in urls.items():
            migrate_database(url, Path(name))
            # The first start writes what the later ones only read.
            _start(engine, url, Path(name), cores, settings)
        for number in range(rounds):
            print(f"round {number + 1}", file=sys.stderr)
            found.help.append(_time_command("--help", cores))
            found.version.append(_time_command("--version", cores))
            for engine, url in urls.items():
                found.by_engine[engine].append(_start(engine, url, Path(name), cores, settings))
    return found


@contextlib.contextmanager
def _open_databases(engines: Sequence[Engine], folder: Path) -> Iterator[dict[Engine, str]]:
    with contextlib.ExitStack() as stack:
        urls: dict[Engine, str] = {}
        for engine in engines:
            urls[engine] = f"sqlite:///{folder / 'start.sqlite3'}"
            if engine == "postgresql":
                postgres = stack.enter_context(running_postgres(durable=True))
                urls[engine] = postgres.create_database("start")
        yield urls


def _time_command(option: str, cores: Cores) -> Cost:
    began, before = time.perf_counter(), _count_computed()
    subprocess.run(
        [*cores.prefix(), LETTERBOX, option], stdout=subprocess.DEVNULL, env=_plain(), check=True
    )
    through = Cost(time.perf_counter() - began, _count_computed() - before)
    # What pins it to a core is a Python of its own, which is not the command's.
    began, before = time.perf_counter(), _count_computed()
    if cores.prefix():
        subprocess.run([*cores.prefix(), "true"], env=_plain(), check=True)
    return Cost(
        through.clock - (time.perf_counter() - began),
        through.computed - (_count_computed() - before),
    )


def _plain() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("LETTERBOX_")}


def _count_computed() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _start(engine: Engine, url: str, folder: Path, cores: Cores, settings: dict[str, str]) -> Start:
    home = folder / (engine or "none")
    home.mkdir(exist_ok=True)
    began = time.perf_counter()
    contender = Contender("letterbox", engine)
    with running_server(contender, url, home, cores, settings, is_ready=_is_alive) as server:
        live = Cost(time.perf_counter() - began, server.compute())
        bare = server.weigh()
        page = fetch(server.port, PAGE)
        shown = Cost(time.perf_counter() - began, server.compute())
        if page is None or b"<form" not in page:
            raise DidNotStartError(f"{PAGE} is not there")
        time.sleep(IDLE_SECONDS)
        idle, share = server.weigh(), server.weigh_share()
        fetch(server.port, REST)
        return Start(
            live,
            Cost(shown.clock - live.clock, shown.computed - live.computed),
            bare,
            idle,
            share,
            server.weigh(),
        )


def _is_alive(port: int) -> bool:
    return fetch(port, "/livez") is not None


# What is shown of each start.
MEASURES: Sequence[tuple[str, Callable[[Start], float], Target | None]] = (
    ("from the start to /livez, s", lambda start: start.live.clock, LIVE_SECONDS),
    ("  computed, s", lambda start: start.live.computed, LIVE_SECONDS),
    ("from there to the first page, s", lambda start: start.page.clock, PAGE_SECONDS),
    ("  computed, s", lambda start: start.page.computed, PAGE_SECONDS),
    ("memory before the first page, MB", lambda start: start.bare, None),
    ("memory when idle, MB", lambda start: start.idle, IDLE_MEGABYTES),
    ("  shared pages in parts, MB", lambda start: start.share, None),
    ("  after a first REST request, MB", lambda start: start.with_rest, None),
)


def tabulate_starts(found: Starts) -> Table:
    """Seconds on this machine, which depend on what else it does, beside those computed."""
    engines = found.by_engine
    rows = [
        _make_command_row("letterbox --help", found.help, len(engines)),
        _make_command_row("letterbox --version", found.version, len(engines)),
    ]
    for name, read, target in MEASURES:
        shown = [str(Figure([*map(read, starts)], target)) for starts in engines.values()]
        rows.append((name, *shown, str(target) if target else ""))
    columns = ("", *(ENGINE_NAMES[engine] for engine in engines), "target")
    return Table("Start of the process that serves, with everything on", columns, rows)


def _make_command_row(name: str, costs: Sequence[Cost], columns: int) -> tuple[str, ...]:
    clock = Figure([each.clock for each in costs], HELP_SECONDS)
    computed = Figure([each.computed for each in costs], HELP_SECONDS)
    blanks = [""] * (columns - 1)
    return (f"{name}, s", f"{clock}; computed {computed}", *blanks, str(HELP_SECONDS))
