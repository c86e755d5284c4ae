"""The cost of the list queries: a large archive compared with a small one."""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from app.flows.access.sign_in import Browser, make_login_link, use_login_link
from app.storage.db.database import open_database
from benchmarks.archive.fill import fill_database
from benchmarks.archive.questions import Question, make_questions
from benchmarks.client import Client
from benchmarks.report import Figure, Table, Target
from benchmarks.servers.contenders import (
    ENGINE_NAMES,
    Contender,
    DidNotStartError,
    Engine,
    migrate_database,
    running_server,
)
from benchmarks.servers.cores import Cores
from tests.support.storage.postgres import running_postgres

GROWTH = Target(2)
SEARCH_MILLISECONDS = Target(100)

REPEATS = 15
SEARCH_REPEATS = 3
SEARCH_REQUESTS = 20
POSTGRES_SETTINGS = {"max_wal_size": "4GB"}


@dataclass(frozen=True, slots=True)
class Cost:
    """Median seconds of a question's request on each archive, of a search's slowest one."""

    question: Question
    small: float
    large: float


# By database, in the order of the questions.
Costs = dict[Engine, list[Cost]]


def measure_lists(engines: Sequence[Engine], small: int, large: int, cores: Cores) -> Costs:
    """Fill, start and ask two Letterboxes on each database; both serve at the same time.

    Raises DidNotStartError or AnsweredOddlyError.
    """
    costs: Costs = {}
    for engine in engines:
        with (
            tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
            fresh_databases(engine, Path(name)) as urls,
            contextlib.ExitStack() as stack,
        ):
            clients = [
                stack.enter_context(serve_archive(engine, url, Path(name) / home, rows, cores))
                for url, home, rows in zip(urls, ("a", "b"), (small, large), strict=True)
            ]
            costs[engine] = ask_by_turns((clients[0], small), (clients[1], large))
    return costs


@contextlib.contextmanager
def fresh_databases(engine: Engine, folder: Path) -> Iterator[tuple[str, str]]:
    """Two empty ones. PostgreSQL's need not be durable: nothing is written while it counts."""
    if engine == "postgresql":
        with running_postgres(settings=POSTGRES_SETTINGS) as postgres:
            yield postgres.create_database("small"), postgres.create_database("large")
    else:
        yield f"sqlite:///{folder / 'small.sqlite3'}", f"sqlite:///{folder / 'large.sqlite3'}"


@contextlib.contextmanager
def serve_archive(
    engine: Engine, database_url: str, folder: Path, rows: int, cores: Cores
) -> Iterator[Client]:
    """A Letterbox that holds an archive of so many rows."""
    print(f"{engine}: {rows:,} rows", file=sys.stderr)
    folder.mkdir()
    migrate_database(database_url, folder)
    fill_database(database_url, rows)
    session = asyncio.run(sign_in(database_url))
    contender = Contender("letterbox", engine)
    with running_server(contender, database_url, folder, cores) as running:
        client = Client(running.port, running.api_key, session)
        try:
            yield client
        finally:
            client.close()


async def sign_in(database_url: str) -> str:
    """The token of a session, without a server."""
    database = open_database(database_url, Path(database_url.removeprefix("sqlite:///")))
    try:
        now = datetime.now(UTC)
        link = await make_login_link(database, "benchmark", who="cli", now=now)
        made = await use_login_link(database, link, browser=Browser("", ""), now=now)
    finally:
        await database.close()
    if made is None:
        raise DidNotStartError("nobody could sign in")
    return made.token


def ask_by_turns(small: tuple[Client, int], large: tuple[Client, int]) -> list[Cost]:
    """Each question to the one and to the other, again and again, so that a drift meets both.

    Given are clients and how many rows each one's archive has.
    """
    pairs = zip(make_questions(*small), make_questions(*large), strict=True)
    return [_ask(small[0], large[0], *pair) for pair in pairs]


def _ask(small: Client, large: Client, of_small: Question, of_large: Question) -> Cost:
    print(f"  {of_large.name}", file=sys.stderr)
    repeats = SEARCH_REPEATS if of_large.is_search else REPEATS
    times_small, times_large = [], []
    # The first request of each is left out: it has to plan, and to read pages from disk.
    for _ in range(repeats + 1):
        times_small.append(_time_steps(small, of_small))
        times_large.append(_time_steps(large, of_large))
    return Cost(of_large, _pick_slowest(times_small[1:]), _pick_slowest(times_large[1:]))


def _time_steps(client: Client, question: Question) -> list[float]:
    """Seconds of each request: one, or those of a search until it ends or nobody would go on."""
    took, answer = client.time(question.path)
    steps = [took]
    while question.is_search and answer["next"] and len(steps) < SEARCH_REQUESTS:
        following = urlencode({"cursor": answer["next"]})
        took, answer = client.time(f"{question.path}&{following}")
        steps.append(took)
    return steps


def _pick_slowest(repeats: Sequence[Sequence[float]]) -> float:
    """The median, over the repeats, of the slowest request."""
    return median(max(steps) for steps in repeats)


def tabulate_lists(costs: Costs, small: int, large: int) -> Table:
    """Ratios; milliseconds for searches, whose target is a time."""
    rows = [
        (
            of_question[0].question.name,
            *map(_show, of_question),
            str(_choose_target(of_question[0])),
        )
        for of_question in zip(*costs.values(), strict=True)
    ]
    title = f"Lists: a request's time with {large:,} rows / with {small:,}; q: its milliseconds"
    return Table(title, ("", *(ENGINE_NAMES[engine] for engine in costs), "target"), rows)


def tabulate_list_times(costs: Costs, small: int, large: int) -> Table:
    """Milliseconds of a request on this machine, on both archives."""
    rows = [
        (
            of_question[0].question.name,
            *(f"{1000 * time:.1f}" for cost in of_question for time in (cost.small, cost.large)),
        )
        for of_question in zip(*costs.values(), strict=True)
    ]
    columns = [f"{ENGINE_NAMES[engine]}, {count:,}" for engine in costs for count in (small, large)]
    return Table("Milliseconds of a request on this machine", ("", *columns), rows)


def _show(cost: Cost) -> str:
    value = 1000 * cost.large if cost.question.is_search else cost.large / cost.small
    return str(Figure([value], _choose_target(cost)))


def _choose_target(cost: Cost) -> Target:
    return SEARCH_MILLISECONDS if cost.question.is_search else GROWTH
