"""The shop of `letterbox demo`: its number, and the rules that answer whoever texts it."""

import asyncio
from datetime import UTC, datetime

from app.cli.core.offline import find_actor
from app.flows.access.configure import add_number
from app.flows.rules.edit_rules import import_rules
from app.settings import Settings
from app.storage.db.database import open_database
from app.storage.db.migrate import migrate

# The first and second merge fields of the demo's list.
MERGE_FIELD_NAMES = {"1": "first", "2": "order_number"}
OPT_OUT_REPLY = "You won't get any more texts from us. Text START to get them again."
RULES = """
- name: Opening hours
  pattern: \\b(open|hours)\\b
  reply: >-
    We are open Monday to Saturday from 9.00 to 17.30, on Sunday from 10.00 to 16.00.
- name: Order status
  keyword: order
  reply: Your order {rest|of today} is packed, and on its way to you.
- name: Order status, asked in a sentence
  contains: order
  reply: 'Hello {first|there}, your order {order_number|of today} ships this afternoon.'
- name: Out of hours
  from: '17:30'
  to: '09:00'
  cooldown_seconds: 60
  reply: Sorry, {first|dear customer}, we're closed now. We'll reply in the morning.
- name: Away
  cooldown_seconds: 60
  reply: Thank you, {first|dear customer}. We have your text and will reply soon.
"""


def open_shop(settings: Settings, number: str) -> None:
    """Create the database with the number and its rules, before the service starts."""
    asyncio.run(_furnish(settings, number))


async def _furnish(settings: Settings, number: str) -> None:
    database = open_database(settings.database_url, settings.sqlite_path)
    who, now = find_actor(), datetime.now(UTC)
    try:
        await migrate(database)
        await add_number(
            database,
            number,
            region=settings.default_region,
            label="Demo shop",
            merge_field_names=MERGE_FIELD_NAMES,
            opt_out_reply=OPT_OUT_REPLY,
            who=who,
            now=now,
        )
        await import_rules(
            database,
            RULES,
            timezone=settings.provider_timezone,
            region=settings.default_region,
            who=who,
            now=now,
        )
    finally:
        await database.close()
