"""`letterbox webhooks`: the programs that are called when something happens."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.api.core.filters import read_time
from app.api.webhooks.schemas import Delivery as ShownDelivery
from app.api.webhooks.schemas import show_webhook
from app.cli.core.offline import find_actor, run_on_database
from app.cli.core.output import SHOWN_ONCE, JsonOption, YesOption, confirm, print_json, print_table
from app.domain.errors import InvalidInput, LetterboxError
from app.domain.ids import decode_id, encode_id
from app.domain.webhooks.payloads import TYPES
from app.flows.webhooks import configure_webhooks, redeliver
from app.flows.webhooks.configure_webhooks import Rules, WebhookWithSecret
from app.settings import Settings
from app.shared_secrets import find_secrets
from app.storage.data_dir import DataDir
from app.storage.db.database import Connection, Database
from app.storage.db.wakeups import notify_once
from app.storage.webhooks import deliveries, endpoints
from app.storage.webhooks.deliveries import Delivery
from app.storage.webhooks.endpoints import Webhook

LISTED = 500
# A worker takes the test within a second, and the endpoint has ten to answer.
TEST_SECONDS = 15.0
LOOK_SECONDS = 0.2

app = typer.Typer(help="The programs that are called when something happens.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="As `webhooks list` shows it.")]


class NotDelivered(LetterboxError):
    """A test that did not arrive."""


@app.command("list")
def list_all(*, as_json: JsonOption = False) -> None:
    """List the webhooks with their state and last delivery, newest first."""

    async def read(database: Database, _: Settings) -> list[tuple[Webhook, Delivery | None]]:
        return await database.read(_read_all)

    found = run_on_database(read)
    if as_json:
        print_json([show_webhook(*each) for each in found])
        return
    print_table(
        ("id", "url", "types", "state", "last delivery", "answer"),
        [
            (
                encode_id("whk", webhook.id),
                webhook.url,
                "all" if len(webhook.types) == len(TYPES) else " ".join(webhook.types),
                webhook.state,
                f"{last.attempted_at:%Y-%m-%d %H:%M}" if last and last.attempted_at else "never",
                _describe(last),
            )
            for webhook, last in found
        ],
    )


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="What is called, such as https://example.com/texts.")],
    *,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help=f"One of {', '.join(TYPES)}; can be repeated. Default: all."),
    ] = None,
    numbers: Annotated[
        list[str] | None,
        typer.Option("--number", help="Only this number of ours; can be repeated. Default: all."),
    ] = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Keep the events of each conversation in order.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a webhook and print its secret (shown once)."""

    async def write(database: Database, settings: Settings) -> WebhookWithSecret:
        made = await configure_webhooks.add_webhook(
            database,
            url,
            types=types or TYPES,
            numbers=numbers or (),
            ordered=ordered,
            rules=Rules(settings.webhook_networks, settings.default_region),
            master=find_secrets(settings, DataDir.open(settings.data_dir)).api_key,
            who=find_actor(),
            now=datetime.now(UTC),
        )
        await notify_once(database, "webhooks")
        return made

    made = run_on_database(write)
    if as_json:
        shown = show_webhook(made.webhook, None).model_dump(mode="json")
        typer.echo(json.dumps({**shown, "secret": made.secret}))
    else:
        typer.echo(made.secret)
        typer.echo(f"{encode_id('whk', made.webhook.id)}: {SHOWN_ONCE}", err=True)


@app.command()
def remove(webhook_id: IdArgument, *, yes: YesOption = False) -> None:
    """Remove a webhook with its deliveries."""
    number = decode_id("whk", webhook_id)

    async def find(database: Database, _: Settings) -> str:
        return (await database.read(endpoints.get_webhook, number)).url

    url = run_on_database(find)
    confirm(f"Remove {webhook_id}? Nothing is delivered to {url} from then on.", yes=yes)

    async def write(database: Database, _: Settings) -> None:
        await configure_webhooks.remove_webhook(
            database, number, who=find_actor(), now=datetime.now(UTC)
        )
        await notify_once(database, "webhooks")

    run_on_database(write)
    typer.echo(f"removed {webhook_id}")


@app.command("test")
def send_test(webhook_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Have the running service send a test, and print what was answered."""

    async def send(database: Database, _: Settings) -> Delivery:
        queued = await redeliver.send_test(
            database, decode_id("whk", webhook_id), who=find_actor(), now=datetime.now(UTC)
        )
        await notify_once(database, "webhooks")
        return await _wait(database, queued)

    done = run_on_database(send)
    if as_json:
        print_json(ShownDelivery.model_validate(done))
    if done.state != "delivered":
        raise NotDelivered(
            f"the test was not delivered: {done.error}"
            if done.attempts
            else "the test waits: no process of the service delivers to this webhook now"
        )
    if not as_json:
        typer.echo(_describe(done))


@app.command()
def replay(
    webhook_id: IdArgument,
    *,
    delivery: Annotated[str, typer.Option(help="This delivery, such as dlv_9.")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up.")] = False,
    since: Annotated[
        str, typer.Option(help="Every event since then, such as 2026-06-01T12:00:00Z.")
    ] = "",
) -> None:
    """Deliver again: one delivery, all that failed, or every event since a time."""
    if [bool(delivery), failed, bool(since)].count(True) != 1:
        raise typer.BadParameter("give one of --delivery, --failed and --since")

    async def write(database: Database, _: Settings) -> str:
        done = await _replay(database, decode_id("whk", webhook_id), delivery, since)
        await notify_once(database, "webhooks")
        return done

    typer.echo(run_on_database(write))


async def _replay(database: Database, webhook_id: int, delivery: str, since: str) -> str:
    who, now = find_actor(), datetime.now(UTC)
    if delivery:
        delivery_id = decode_id("dlv", delivery)
        await redeliver.replay_delivery(database, webhook_id, delivery_id, who=who, now=now)
        return f"{delivery} is sent again"
    if since:
        moment = _read_since(since)
        await redeliver.replay_since(database, webhook_id, moment, who=who, now=now)
        return f"every event since {since} is sent again"
    count = await redeliver.replay_failed(database, webhook_id, who=who, now=now)
    return f"{count} failed deliveries are sent again"


def _read_since(text: str) -> datetime:
    try:
        return read_time(text)
    except ValueError as error:
        raise InvalidInput(str(error), field="since") from None


async def _wait(database: Database, queued: Delivery) -> Delivery:
    """The delivery after its first attempt, or as it is when the time is up."""
    for _ in range(int(TEST_SECONDS / LOOK_SECONDS)):
        found = await database.read(deliveries.get_delivery, queued.id)
        if found.attempts:
            return found
        await asyncio.sleep(LOOK_SECONDS)
    return queued


def _read_all(conn: Connection) -> list[tuple[Webhook, Delivery | None]]:
    found = endpoints.list_webhooks(conn, before=None, limit=LISTED)
    last = deliveries.find_last_deliveries(conn, {each.id: each.last_message_id for each in found})
    return [(each, last.get(each.id)) for each in found]


def _describe(delivery: Delivery | None) -> str:
    if delivery is None:
        return ""
    answer = str(delivery.status) if delivery.status else delivery.error
    took = "" if delivery.milliseconds is None else f" in {delivery.milliseconds} ms"
    return f"{answer}{took}"
