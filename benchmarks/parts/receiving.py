"""Receiving, as ratios to the constant and to the obvious service."""

from collections.abc import Callable, Mapping
from statistics import median

from benchmarks.compare import CROWD, Turn, Turns
from benchmarks.report import Figure, Table, Target, show_targets
from benchmarks.servers.contenders import ENGINE_NAMES, Engine

OF_CONSTANT = dict.fromkeys(ENGINE_NAMES, Target(0.55, at_least=True))
OF_OBVIOUS: Mapping[Engine, Target] = {
    "sqlite": Target(25, at_least=True),
    "postgresql": Target(20, at_least=True),
}
TAIL = dict.fromkeys(ENGINE_NAMES, Target(3))
LONE = dict.fromkeys(ENGINE_NAMES, Target(0.25))
TWICE: Mapping[Engine, Target] = {"postgresql": Target(1.6, at_least=True)}
MEMORY = dict.fromkeys(ENGINE_NAMES, Target(120))
NONE: Mapping[Engine, Target] = {}

Measure = Callable[[Turn], float]


def get_rate(turn: Turn) -> float:
    return turn.crowd.per_second


def get_lone_time(turn: Turn) -> float:
    return turn.lone.p50


def get_tail(turn: Turn) -> float:
    return turn.crowd.p99 / turn.crowd.p50 if turn.crowd.p50 else 0.0


def get_lone_tail(turn: Turn) -> float:
    return turn.lone.p99 / turn.lone.p50 if turn.lone.p50 else 0.0


def get_cost(turn: Turn) -> float:
    """CPU a message, PostgreSQL's with the server's."""
    return turn.computing + turn.database


def get_memory(turn: Turn) -> float:
    return turn.idle_megabytes


def measure(turns: Turns, name: str, get: Measure) -> list[float]:
    """One value per round, without rounds in which the contender did not run."""
    return [get(turn) for turn in turns.get(name, [])]


def divide(turns: Turns, over: str, under: str, get: Measure) -> list[float]:
    """One ratio per round."""
    pairs = zip(measure(turns, over, get), measure(turns, under, get), strict=False)
    return [top / bottom for top, bottom in pairs if bottom]


def tabulate_receiving(turns: Turns) -> Table:
    """Only ratios; memory in MB, because a ratio of it means nothing."""
    letterbox, web, obvious = "letterbox-{}", "letterbox-{}-web", "obvious-{}"
    two = "letterbox-{}-web-2"

    def against(over: str, under: str, get: Measure) -> Callable[[str], list[float]]:
        return lambda engine: divide(turns, over.format(engine), under.format(engine), get)

    def alone(name: str, get: Measure) -> Callable[[str], list[float]]:
        return lambda engine: measure(turns, name.format(engine), get)

    rows = [
        _row("requests / constant's", against(letterbox, "constant", get_rate), OF_CONSTANT),
        _row("requests / obvious one's", against(letterbox, obvious, get_rate), OF_OBVIOUS),
        _row("p99 / p50", alone(letterbox, get_tail), TAIL),
        _row(
            "lone request's time / obvious one's", against(letterbox, obvious, get_lone_time), LONE
        ),
        _row("lone request's p99 / p50", alone(letterbox, get_lone_tail), TAIL),
        _row("idle memory, MB", alone(letterbox, get_memory), MEMORY),
        _row("workers apart: requests / constant's", against(web, "constant", get_rate), NONE),
        _row("workers apart: p99 / p50", alone(web, get_tail), NONE),
        _row(
            "workers apart: two processes on both cores / one", against(two, web, get_rate), TWICE
        ),
        _row("obvious: requests / constant's", against(obvious, "constant", get_rate), NONE),
        _row("obvious: p99 / p50", alone(obvious, get_tail), NONE),
    ]
    title = f"Receiving: {CROWD} connections, unique messages, every answer durable"
    return Table(title, ("", *ENGINE_NAMES.values(), "target"), rows)


def _row(
    name: str, get_values: Callable[[str], list[float]], targets: Mapping[Engine, Target]
) -> tuple[str, ...]:
    cells = [str(Figure(get_values(engine), targets.get(engine))) for engine in ENGINE_NAMES]
    return (name, *cells, show_targets(*targets.values()))


def tabulate_absolutes(turns: Turns) -> Table:
    """Absolute figures of this machine, for work on the speed; not for publication."""
    rows = []
    for name, taken in turns.items():
        crowd = [turn.crowd for turn in taken]
        rows.append(
            (
                name,
                f"{median(result.per_second for result in crowd):,.0f}",
                f"{1000 * median(result.p50 for result in crowd):.2f}",
                f"{1000 * median(result.p99 for result in crowd):.2f}",
                f"{1000 * median(turn.lone.p50 for turn in taken):.3f}",
                f"{1000 * median(turn.lone.p99 for turn in taken):.3f}",
                f"{1e6 * median(turn.computing for turn in taken):.0f}",
                f"{1e6 * median(turn.database for turn in taken):.0f}",
                f"{max(result.busy for result in crowd):.2f}",
            )
        )
    columns = (
        "",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "lone p50 ms",
        "lone p99 ms",
        "CPU µs",
        "PostgreSQL's",
        "load's core",
    )
    return Table("Absolute figures of this machine (medians)", columns, rows)


def list_findings(turns: Turns) -> list[str]:
    """What readers need to know besides the ratios: the verification, then anything unusual."""
    return [*_judge(turns), *_list_refusals(turns), *_list_limits(turns)]


def is_sound(turns: Turns) -> bool:
    """Whether every acknowledged message is stored exactly once."""
    return all(turn.verdict is None or turn.verdict.is_good for turn in _all(turns))


def _all(turns: Turns) -> list[Turn]:
    return [turn for taken in turns.values() for turn in taken]


def _judge(turns: Turns) -> list[str]:
    verdicts = [turn.verdict for turn in _all(turns) if turn.verdict]
    count = sum(verdict.acknowledged for verdict in verdicts)
    lost = sum(verdict.lost for verdict in verdicts)
    doubled = sum(verdict.doubled for verdict in verdicts)
    if lost or doubled:
        return [f"WRONG: of {count:,} acknowledged messages {lost:,} lost, {doubled:,} doubled"]
    return [f"verified: each of {count:,} acknowledged messages is stored exactly once"]


def _list_refusals(turns: Turns) -> list[str]:
    found = []
    for name, taken in turns.items():
        results = [result for turn in taken for result in (turn.lone, turn.crowd)]
        others = sum(result.refused for result in results)
        broken = sum(result.broken for result in results)
        if others or broken:
            found.append(f"{name}: {others:,} messages were refused, {broken} connections broke")
    return found


def _list_limits(turns: Turns) -> list[str]:
    busiest = max((turn.crowd.busy for turn in _all(turns)), default=0.0)
    if busiest > 0.9:
        return [f"the load used {busiest:.0%} of its core: the highest ratios are too low"]
    return []
