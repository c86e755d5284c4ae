"""`letterbox simulate`: plays the provider, and orders a simulator that runs about."""

import json
from pathlib import Path
from typing import Annotated, Literal

import httpx2
import typer
from pydantic import ValidationError

from app.simulator.application import build_simulator
from app.simulator.serving import DEFAULT_PORT, listen, serve
from app.simulator.state.clock import start_clock
from app.simulator.state.config import SimulatorConfig, demo_config, describe_problem, read_config
from app.simulator.state.faults import Fault, FaultKind

app = typer.Typer(
    help="Simulate the provider: a complete NetMessenger on one port.", no_args_is_help=False
)

Url = Annotated[str, typer.Option("--url", help="Where the simulator runs.")]
_URL = f"http://127.0.0.1:{DEFAULT_PORT}"
_DEST = "447700900001"
_CALL_SECONDS = 30.0


@app.callback(invoke_without_command=True)
def simulate(context: typer.Context) -> None:
    """Simulate the provider. Without a command: serve it on the default port."""
    if context.invoked_subcommand is None:
        run()


@app.command("serve")
def run(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port.")] = DEFAULT_PORT,
    config: Annotated[
        Path | None, typer.Option(help="A JSON file with accounts, numbers, lists, switches.")
    ] = None,
    forward_to: Annotated[
        str | None, typer.Option(help="The URL that the demo number forwards to.")
    ] = None,
    auth: Annotated[str, typer.Option(help="The auth value it passes along.")] = "",
    method: Annotated[Literal["GET", "POST"], typer.Option(help="How it forwards.")] = "POST",
    speed: Annotated[float, typer.Option(min=0, help="How fast its clock runs.")] = 1.0,
    text_every: Annotated[
        float | None,
        typer.Option(min=1, help="Let the number's list text it every so many seconds."),
    ] = None,
) -> None:
    """Serve a provider until Ctrl+C."""
    beginning = _read_beginning(config, forward_to, auth, method)
    try:
        listener = listen(host, port)
    except OSError as error:
        raise _fail(
            f"Cannot listen on {host}:{port} ({error.strerror}): choose another --port or --host"
        ) from error
    account = beginning.accounts[0]
    typer.echo(f"API       http://{host}:{port}/api with the token {account.token}", err=True)
    typer.echo(f"Page      http://{host}:{port}/", err=True)
    for number in beginning.numbers:
        typer.echo(f"Number    {number.number} forwards to {number.url or 'nowhere'}", err=True)
    serve(build_simulator(beginning, start_clock(speed), texting_seconds=text_every), listener)


@app.command()
def text(
    body: Annotated[str, typer.Argument(help="What the text says.")],
    source: Annotated[str, typer.Option("--from", help="Who sends it.")],
    dest: Annotated[str, typer.Option("--to", help="The number it goes to.")] = _DEST,
    url: Url = _URL,
) -> None:
    """Text a number and print how the forward went; exit 1 if nobody accepted it."""
    order = {"source": source, "dest": dest, "body": body, "wait_seconds": _CALL_SECONDS / 2}
    texts = _call(url, "POST", "texts", order)
    typer.echo(json.dumps(texts, indent=2, ensure_ascii=False))
    if not isinstance(texts, list) or not all(one["accepted"] for one in texts):
        raise _fail(f"Nobody took the text: look where {dest} forwards to.")


@app.command()
def load(
    rate: Annotated[float, typer.Option(min=0.01, help="Texts a second.")] = 10.0,
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    dest: Annotated[str, typer.Option("--to", help="The number they go to.")] = _DEST,
    senders: Annotated[int, typer.Option(min=1, max=1000, help="From how many numbers.")] = 50,
    url: Url = _URL,
) -> None:
    """Begin a load run; `load-state` shows how far it is."""
    order = {"rate": rate, "count": count, "dest": dest, "senders": senders}
    _print(_call(url, "POST", "load", order))


@app.command("load-state")
def load_state(
    stop: Annotated[bool, typer.Option("--stop", help="End the run.")] = False,
    url: Url = _URL,
) -> None:
    """Show how far the load run is."""
    _print(_call(url, "DELETE" if stop else "GET", "load"))


@app.command()
def clock(
    speed: Annotated[float | None, typer.Option(min=0, help="Times the usual; 0 stops.")] = None,
    advance: Annotated[float | None, typer.Option(min=0, help="Seconds to jump.")] = None,
    url: Url = _URL,
) -> None:
    """Show the simulated time, or change it."""
    wanted = {"speed": speed, "advance_seconds": advance}
    change = {name: value for name, value in wanted.items() if value is not None}
    _print(_call(url, "PATCH", "clock", change) if change else _call(url, "GET", "clock"))


@app.command()
def switch(
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Switches to throw.")
    ] = None,
    url: Url = _URL,
) -> None:
    """Show every switch, or set some: the value is JSON, or else plain text."""
    changes = dict(_read_setting(setting) for setting in settings or [])
    _print(_call(url, "PATCH", "switches", changes) if changes else _call(url, "GET", "switches"))


@app.command()
def fault(
    kind: Annotated[
        FaultKind | None,
        typer.Argument(help="How calls go wrong; see docs/reference/simulator.md."),
    ] = None,
    taken: Annotated[bool, typer.Option(help="Whether the call has its effect first.")] = True,
    action: Annotated[str | None, typer.Option(help="Only this action.")] = None,
    destination: Annotated[str | None, typer.Option(help="Only sends to this number.")] = None,
    times: Annotated[int | None, typer.Option(min=1, help="How often; else always.")] = None,
    skip: Annotated[int, typer.Option(min=0, help="So many calls pass first.")] = 0,
    probability: Annotated[float, typer.Option(min=0, max=1, help="How likely.")] = 1.0,
    seconds: Annotated[
        float, typer.Option(min=0, max=3600, help="How long slow and silence last.")
    ] = 5.0,
    status: Annotated[
        int, typer.Option(min=200, max=599, help="The HTTP status of status and html.")
    ] = 500,
    code: Annotated[int, typer.Option(max=-1, help="What code answers.")] = -300,
    clear: Annotated[bool, typer.Option("--clear", help="Forget every fault.")] = False,
    url: Url = _URL,
) -> None:
    """Show the faults, add one, or forget them all."""
    if clear:
        _call(url, "DELETE", "faults")
    if kind is None:
        _print(_call(url, "GET", "faults"))
        return
    added = Fault(
        kind=kind,
        taken=taken,
        action=action,
        destination=destination,
        times=times,
        skip=skip,
        probability=probability,
        seconds=seconds,
        status=status,
        code=code,
    )
    _print(_call(url, "POST", "faults", [added.model_dump()]))


@app.command()
def ledger(url: Url = _URL) -> None:
    """Print everything that was accepted, in both directions, as JSON."""
    _print(_call(url, "GET", "ledger"))


def _read_beginning(
    path: Path | None, forward_to: str | None, auth: str, method: Literal["GET", "POST"]
) -> SimulatorConfig:
    if path is None:
        return demo_config(forward_to, auth, method)
    try:
        return read_config(path)
    except OSError as error:
        raise _fail(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise _fail(f"{path}: {describe_problem(error)}") from error


def _read_setting(setting: str) -> tuple[str, object]:
    name, equals, value = setting.partition("=")
    if not equals:
        raise typer.BadParameter(f"{setting} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _call(url: str, method: str, path: str, order: object = None) -> object:
    """Call the simulator's control interface; ends the command with one line if that fails."""
    try:
        response = httpx2.request(
            method,
            f"{url.rstrip('/')}/_simulator/{path}",
            json=order,
            timeout=_CALL_SECONDS,
            trust_env=False,
        )
        answer: object = response.json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        raise _fail(
            f"No simulator answers at {url}: {str(error) or type(error).__name__};"
            " start one with `letterbox simulate serve`, or name another --url"
        ) from error
    if response.is_error:
        problem = answer.get("error", answer) if isinstance(answer, dict) else answer
        raise _fail(f"The simulator refuses: {problem}")
    return answer


def _fail(line: str) -> typer.Exit:
    typer.echo(line, err=True)
    return typer.Exit(1)


def _print(answer: object) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
