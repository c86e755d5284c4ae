"""Kannel and Letterbox side by side: both take a text by HTTP and keep it, on one core."""

from collections.abc import Callable
from statistics import median

from benchmarks.compare import CROWD, Turn, Turns
from benchmarks.parts.receiving import divide, get_cost, get_lone_time, get_rate, get_tail, measure
from benchmarks.report import Figure, Table, Target
from benchmarks.servers.contenders import Contender

KANNEL = Contender("kannel", "")
# Kannel hands its texts to nobody here, so the workers are off; the others are as most run them.
SQLITE = Contender("letterbox", "sqlite", run_workers=False)
POSTGRES = Contender("letterbox", "postgresql", run_workers=False)
SQLITE_WORKING = Contender("letterbox", "sqlite")
POSTGRES_WORKING = Contender("letterbox", "postgresql")
PEERS = (KANNEL, SQLITE, POSTGRES, SQLITE_WORKING, POSTGRES_WORKING)

# A lone request meets a service that has dealt with the one before.
LONE_PER_SECOND = 20.0

COLUMNS = {
    "SQLite": SQLITE,
    "PostgreSQL": POSTGRES,
    "SQLite, workers inside": SQLITE_WORKING,
    "PostgreSQL, workers inside": POSTGRES_WORKING,
}
FASTER = {SQLITE: Target(3, at_least=True), POSTGRES: Target(1.6, at_least=True)}
PROMPT = dict.fromkeys(COLUMNS.values(), Target(3))


def tabulate_peers(turns: Turns) -> Table:
    """Letterbox's figures divided by Kannel's of the same round."""
    rows = [
        _divide(turns, "requests / Kannel's", get_rate, FASTER),
        _divide(turns, "lone request's time, all idle / Kannel's", get_lone_time, PROMPT),
        _divide(turns, "CPU a message / Kannel's", get_cost, {}),
        _row("p99 / p50", lambda name: measure(turns, name, get_tail), {}),
    ]
    tail = Figure(measure(turns, KANNEL.name, get_tail))
    title = (
        f"Peers: {CROWD} connections, every server and PostgreSQL's on one core, the load on"
        f" another (Kannel's own p99 / p50: {tail})"
    )
    return Table(title, ("", *COLUMNS, "target"), rows)


def tabulate_peers_figures(turns: Turns) -> Table:
    """Absolute figures of this machine."""
    rows = [
        (
            name,
            f"{median(measure(turns, name, get_rate)):,.0f}",
            f"{1e3 * median(measure(turns, name, get_lone_time)):.2f}",
            f"{1e6 * median(measure(turns, name, get_cost)):.0f}",
        )
        for name in turns
    ]
    return Table(
        "Absolute figures of this machine (medians)",
        ("", "requests/s", "lone p50 ms", "CPU µs a message"),
        rows,
    )


def _divide(
    turns: Turns, name: str, get: Callable[[Turn], float], targets: dict[Contender, Target]
) -> tuple[str, ...]:
    return _row(name, lambda over: divide(turns, over, KANNEL.name, get), targets)


def _row(
    name: str, get_values: Callable[[str], list[float]], targets: dict[Contender, Target]
) -> tuple[str, ...]:
    cells = [
        str(Figure(get_values(contender.name), targets.get(contender)))
        for contender in COLUMNS.values()
    ]
    return (name, *cells, " / ".join(dict.fromkeys(map(str, targets.values()))))
