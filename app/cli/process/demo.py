"""`letterbox demo`: the service with a simulated provider behind it, and people who text it."""

import asyncio
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer
from pydantic import SecretStr

from app.cli.core.output import name_command
from app.cli.process.demo_shop import open_shop
from app.cli.process.listening import find_address, listen
from app.cli.process.logs import configure_logging
from app.cli.process.serve import LINK_COMMAND
from app.cli.process.web import serve_alone
from app.settings import Settings, load_settings
from app.shared_secrets import SharedSecrets, find_secrets
from app.simulator.application import SimulatorApp, build_simulator
from app.simulator.serving import serving
from app.simulator.state.clock import start_clock
from app.simulator.state.config import demo_config
from app.storage.data_dir import DataDir

END_SECONDS = 10
KEPT = frozenset({"port", "log_format", "log_level"})


def demo(
    *,
    text_every: Annotated[
        float, typer.Option(min=1, help="Seconds between the texts that come in.")
    ] = 10.0,
) -> None:
    """Run until SIGTERM or SIGINT; nothing is kept. Raises SetupError, SettingsError."""
    with tempfile.TemporaryDirectory(prefix="letterbox-demo-") as folder:
        settings = make_settings(Path(folder))
        configure_logging(settings.log_format, settings.log_level)
        shared = find_secrets(settings, DataDir.open(settings.data_dir))
        listener = listen(settings)
        settings = settings.model_copy(update=find_address(listener))
        url = settings.base_url
        config = demo_config(f"{url}/inbound", shared.inbound_auth)
        token, number = config.accounts[0].token, config.numbers[0].number
        open_shop(settings, number)
        app = build_simulator(config, start_clock(), texting_seconds=text_every)
        with playing(app) as provider:
            settings = settings.model_copy(
                update={"provider_url": f"{provider}/api", "provider_token": SecretStr(token)}
            )

            def welcome(sign_in: str | None) -> str:
                shown = describe_demo(url, provider, token, number, shared, settings.data_dir)
                return f"{shown}\n{describe_sign_in(settings, url, sign_in or LINK_COMMAND)}"

            serve_alone(settings, [listener], welcome, with_link=True)


def make_settings(folder: Path) -> Settings:
    """KEPT as they are set; everything else by default, or as it suits a demo."""
    defaults = {
        name: field.get_default()
        for name, field in Settings.model_fields.items()
        if name not in KEPT
    }
    # People text more often than in reality, and should still get replies.
    often = {"replies_per_hour": 500, "replies_per_day": 5000}
    chosen = {"data_dir": folder, "admin_password": SecretStr(secrets.token_urlsafe(6)), **often}
    return load_settings(**defaults | chosen)


@contextmanager
def playing(app: SimulatorApp) -> Iterator[str]:
    """Run the provider on a free port, in a thread with its own event loop; yields its address."""
    started: Future[str] = Future()
    stop: Future[None] = Future()

    async def play() -> None:
        async with serving(app) as url:
            started.set_result(url)
            await asyncio.wrap_future(stop)

    def run() -> None:
        try:
            asyncio.run(play())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = Thread(target=run, name="provider", daemon=True)
    thread.start()
    try:
        yield started.result()
    finally:
        stop.set_result(None)
        thread.join(END_SECONDS)


def describe_sign_in(settings: Settings, url: str, link: str) -> str:
    """The last lines, where people look first."""
    password = settings.admin_password
    words = f', or {url} with the password "{password.get_secret_value()}"' if password else ""
    return f"""  Open the inbox (works once, expires in 15 minutes){words}:
    {link}
"""


def describe_demo(
    url: str, provider: str, token: str, number: str, shared: SharedSecrets, folder: Path
) -> str:
    """What a newcomer can look at; its secrets end with the demo."""
    bearer = f'-H "Authorization: Bearer {shared.api_key}"'
    account = f"LETTERBOX_PROVIDER_URL={provider}/api LETTERBOX_PROVIDER_TOKEN={token}"
    command = name_command()
    return f"""Letterbox is running at {url}, with a simulated provider behind it

  A few people text {number} now and then, and rules answer them. Watch the texts come in,
  the replies go out and their statuses turn:
    curl -N {bearer} {url}/api/v1/events

  Read what was answered, and see the rules that do it:
    curl {bearer} {url}/api/v1/outbound
    LETTERBOX_DATA_DIR={folder} {command} rules export

  Text the number yourself, as anybody you like: {provider}/
    {command} simulate text --url {provider} --from 447700900020 "Are you open?"

  Ask the provider, through Letterbox or directly:
    curl {bearer} {url}/api/v1/credits
    {account} {command} credits

  Let sending be slow, or fail (--clear ends it):
    {command} simulate fault slow --action Send --seconds 5 --url {provider}

  The interface is described at {url}/docs, the provider in docs/reference/simulator.md
  End it with Ctrl+C, and all of it is forgotten.
"""
