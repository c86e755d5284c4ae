"""`python -m benchmarks [PART …]`: runs the parts and prints their tables."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import psutil  # type: ignore[import-untyped]  # it ships no types

from benchmarks.client import AnsweredOddlyError
from benchmarks.compare import Pace, compare_contenders
from benchmarks.parts.batches import measure_batches, tabulate_batches
from benchmarks.parts.following import measure_following, tabulate_following
from benchmarks.parts.lists import measure_lists, tabulate_list_times, tabulate_lists
from benchmarks.parts.moving import measure_moves, tabulate_moves
from benchmarks.parts.peers import (
    KANNEL,
    LONE_PER_SECOND,
    PEERS,
    tabulate_peers,
    tabulate_peers_figures,
)
from benchmarks.parts.receiving import (
    is_sound,
    list_findings,
    tabulate_absolutes,
    tabulate_receiving,
)
from benchmarks.parts.retention import measure_retention, tabulate_retention
from benchmarks.parts.scale import is_sound as is_scale_sound
from benchmarks.parts.scale import measure_scale, tabulate_scale, tabulate_waits
from benchmarks.parts.sending import measure_sending, tabulate_sending
from benchmarks.parts.soak import report_growth, run_soak
from benchmarks.parts.start import measure_starts, tabulate_starts
from benchmarks.parts.sustained import measure_sustained, tabulate_sustained
from benchmarks.parts.webhooks import measure_webhooks, tabulate_webhooks
from benchmarks.report import Table
from benchmarks.servers.contenders import CONTENDERS, ENGINE_NAMES, DidNotStartError
from benchmarks.servers.cores import Cores, claim_cores
from benchmarks.servers.kannel import ABSENT, find_bearerbox

PARTS = (
    "start",
    "receive",
    "peers",
    "scale",
    "sustained",
    "lists",
    "send",
    "batch",
    "webhooks",
    "retain",
    "move",
    "soak",
)
# Only where they are named: they take minutes, and one needs another program.
NAMED_ONLY = ("peers", "scale", "move", "soak")
# What is compared with something else that runs beside it needs more rounds.
ROUNDS, ROUNDS_BESIDE = 3, 5
# A load that must be sustained goes on for longer.
SECONDS, SUSTAINED_SECONDS, SOAK_SECONDS = 4.0, 60.0, 600.0
SMALL_ROWS = 50_000

Part = Callable[[argparse.Namespace, Cores], bool]


def main() -> int:
    """0 unless a server did not start or an acknowledged message is missing."""
    arguments = read_arguments()
    # So that the blocks that end servers and remove folders are left in order.
    signal.signal(signal.SIGTERM, _stop)
    cores = claim_cores()
    # Asked before anything of ours runs.
    others = psutil.cpu_percent(interval=1.0)
    runs = {
        "start": run_start,
        "receive": run_receive,
        "peers": run_peers,
        "scale": run_scale,
        "sustained": run_sustained,
        "lists": run_lists,
        "send": run_send,
        "batch": run_batch,
        "webhooks": run_webhooks,
        "retain": run_retain,
        "move": run_move,
        "soak": run_soaks,
    }
    outcomes = [run(runs[part], arguments, cores) for part in arguments.parts]
    print(f"Where: {cores.describe()}; data on {find_filesystem()}.")
    print(f"Other programs took {others:.0f} % of this machine when it began.")
    return 0 if all(outcomes) else 1


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", type=_part, help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, help="default 3, of receive and peers 5")
    parser.add_argument(
        "--seconds", type=float, help="of each load (default 4, sustained 60, soak 600)"
    )
    parser.add_argument("--method", choices=["GET", "POST"], default="GET", help="of the forwards")
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=[contender.name for contender in CONTENDERS],
        default=[contender.name for contender in CONTENDERS],
        metavar="NAME",
        help="only these: %(choices)s",
    )
    parser.add_argument(
        "--rows", type=int, default=5_000_000, help="of lists' large archive, of move"
    )
    parser.add_argument(
        "--databases",
        nargs="+",
        choices=ENGINE_NAMES,
        default=list(ENGINE_NAMES),
        help="whose lists are asked, and which are sent from",
    )
    parser.add_argument("--markdown", action="store_true", help="tables for the README")
    parser.add_argument("--absolute", action="store_true", help="this machine's figures besides")
    arguments = parser.parse_args()
    arguments.parts = arguments.parts or [part for part in PARTS if part not in NAMED_ONLY]
    return arguments


def run(part: Part, arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether all that the part runs started and answered, and it found what it should."""
    try:
        return part(arguments, cores)
    except (DidNotStartError, AnsweredOddlyError) as error:
        print(error, file=sys.stderr)
        return False


def run_start(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether every server started."""
    found = measure_starts(arguments.databases, arguments.rounds or ROUNDS, cores)
    show(tabulate_starts(found), markdown=arguments.markdown)
    return True


def run_receive(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether every contender ran and everything acknowledged was found."""
    chosen = [contender for contender in CONTENDERS if contender.name in arguments.contenders]
    pace = make_pace(arguments, ROUNDS_BESIDE)
    turns = compare_contenders(chosen, pace, cores)
    show(tabulate_receiving(turns), markdown=arguments.markdown)
    if arguments.absolute:
        show(tabulate_absolutes(turns), markdown=arguments.markdown)
    print("\n".join(list_findings(turns)), end="\n\n")
    return is_sound(turns) and len(turns) == len(chosen)


def run_peers(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether everyone who is installed ran, and everything acknowledged was found."""
    peers = [peer for peer in PEERS if peer is not KANNEL or find_bearerbox()]
    pace = replace(make_pace(arguments, ROUNDS_BESIDE), lone_per_second=LONE_PER_SECOND)
    turns = compare_contenders(peers, pace, cores, on_one_core=True)
    show(tabulate_peers(turns), markdown=arguments.markdown)
    if arguments.absolute:
        show(tabulate_peers_figures(turns), markdown=arguments.markdown)
    print("\n".join(list_findings(turns)), end="\n\n")
    if KANNEL not in peers:
        print(ABSENT)
    return is_sound(turns) and len(turns) == len(peers)


def run_scale(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether every server started, and everything acknowledged was found."""
    runs = measure_scale(make_pace(arguments, ROUNDS), cores)
    show(tabulate_scale(runs), markdown=arguments.markdown)
    show(tabulate_waits(runs), markdown=arguments.markdown)
    return is_scale_sound(runs)


def run_sustained(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether every server started."""
    pace = Pace(1, arguments.seconds or SUSTAINED_SECONDS)
    found = measure_sustained(arguments.databases, pace, cores)
    show(tabulate_sustained(found), markdown=arguments.markdown)
    return True


def run_lists(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether the archives could be made, and every question was answered."""
    sizes = (min(SMALL_ROWS, arguments.rows), arguments.rows)
    costs = measure_lists(arguments.databases, *sizes, cores)
    show(tabulate_lists(costs, *sizes), markdown=arguments.markdown)
    if arguments.absolute:
        show(tabulate_list_times(costs, *sizes), markdown=arguments.markdown)
    return True


def run_send(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether every server started."""
    found = measure_sending(arguments.databases, cores)
    show(tabulate_sending(found), markdown=arguments.markdown)
    show(tabulate_following(measure_following()), markdown=arguments.markdown)
    return True


def run_batch(arguments: argparse.Namespace, _: Cores) -> bool:
    """Whether every database could be made."""
    found = measure_batches(arguments.databases)
    show(tabulate_batches(found), markdown=arguments.markdown)
    return True


def run_webhooks(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether every server started, and everything was delivered."""
    pace = make_pace(arguments, ROUNDS)
    found = measure_webhooks(arguments.databases, pace, cores)
    show(tabulate_webhooks(found), markdown=arguments.markdown)
    return True


def run_retain(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether every server started, and removed something meanwhile."""
    pace = make_pace(arguments, ROUNDS)
    found = measure_retention(arguments.databases, pace, cores)
    show(tabulate_retention(found), markdown=arguments.markdown)
    return True


def run_move(arguments: argparse.Namespace, _: Cores) -> bool:
    """Whether all was moved, there and back."""
    found = measure_moves(arguments.rows)
    show(tabulate_moves(found, arguments.rows), markdown=arguments.markdown)
    return True


def run_soaks(arguments: argparse.Namespace, cores: Cores) -> bool:
    """Whether nothing has grown on any of the databases."""
    is_flat = True
    for engine in arguments.databases:
        grown = run_soak(engine, arguments.seconds or SOAK_SECONDS, cores)
        report_growth(grown)
        is_flat = is_flat and not grown
    return is_flat


def make_pace(arguments: argparse.Namespace, rounds: int) -> Pace:
    seconds = arguments.seconds or SECONDS
    return Pace(arguments.rounds or rounds, seconds, method=arguments.method)


def show(table: Table, *, markdown: bool) -> None:
    print(table.as_markdown() if markdown else table.as_text(), end="\n\n", flush=True)


def find_filesystem() -> str:
    """The data's file system: on tmpfs durability costs nothing, so the result means nothing."""
    folder = Path(tempfile.gettempdir()).resolve()
    holders = [
        (len(place.mountpoint), str(place.fstype))
        for place in psutil.disk_partitions(all=True)
        if folder.is_relative_to(place.mountpoint)
    ]
    return max(holders)[1] if holders else "an unknown filesystem"


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PARTS)}")
    return name


def _stop(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
