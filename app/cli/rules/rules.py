"""`letterbox rules`: the rules for automatic replies."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.api.core.schemas import Rule
from app.api.rules.rules import Trial
from app.cli.core.offline import find_actor, run_on_database
from app.cli.core.output import JsonOption, YesOption, confirm, print_json, print_table
from app.domain.errors import InvalidInput
from app.domain.ids import decode_id, encode_id
from app.domain.rules import rule_preview
from app.domain.rules import rules as domain
from app.domain.rules.rule_files import list_fields, read_rules
from app.flows.rules import edit_rules
from app.flows.rules.edit_rules import RuleChange
from app.flows.rules.try_rules import DEFAULT_TEXTS, MOST_TEXTS, try_rule
from app.settings import Settings
from app.storage.db.database import Database
from app.storage.rules import rules

# What the list shows in columns of its own.
_SHOWN = frozenset({"name", "enabled", "position", "reply", "timezone"})

app = typer.Typer(help="The rules for automatic replies.", no_args_is_help=True)

RulesFile = Annotated[
    typer.FileBinaryRead,
    typer.Argument(help="Rules as YAML (see docs/reference/rules.md); - is stdin."),
]


@app.command("list")
def list_rules(*, as_json: JsonOption = False) -> None:
    """List the rules in the order they are checked."""

    async def read(database: Database, _: Settings) -> list[domain.Rule]:
        return await database.read(rules.read_rules)

    found = run_on_database(read)
    if as_json:
        print_json([Rule.model_validate(each) for each in found])
        return
    print_table(
        ("position", "id", "name", "enabled", "when", "reply"),
        [
            (
                each.position,
                encode_id("rul", each.id),
                each.name,
                "yes" if each.enabled else "no",
                _describe_conditions(each),
                each.reply,
            )
            for each in found
        ],
    )


@app.command("export")
def export_rules() -> None:
    """Print all rules as YAML, in the order they are checked."""

    async def read(database: Database, _: Settings) -> str:
        return await edit_rules.export_rules(database)

    typer.echo(run_on_database(read), nl=False)


@app.command("import")
def import_rules(
    file: RulesFile,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, without changing it.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Replace the rules with those in a file; if anything in it is wrong, nothing changes.

    A rule with a known name is changed, a new one added, and one that the file does not have is
    removed, which is asked before.
    """
    text = _decode(file.read())

    async def plan(database: Database, settings: Settings) -> list[RuleChange]:
        return await edit_rules.plan_import(
            database, text, timezone=settings.provider_timezone, region=settings.default_region
        )

    async def run(database: Database, settings: Settings) -> list[RuleChange]:
        return await edit_rules.import_rules(
            database,
            text,
            timezone=settings.provider_timezone,
            region=settings.default_region,
            who=find_actor(),
            now=datetime.now(UTC),
        )

    planned = run_on_database(plan)
    gone = [step.rule.name for step in planned if step.kind == "remove"]
    if dry_run:
        _print_changes(planned)
        return
    if gone:
        confirm(f"The file does not have {', '.join(gone)}. Remove what it does not have?", yes=yes)
    _print_changes(run_on_database(run))


@app.command("try")
def try_draft(
    file: RulesFile,
    *,
    rule_id: Annotated[
        str | None, typer.Option("--id", help="The rule it replaces, as `list` shows it.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_TEXTS, help="How many of the newest texts to try.")
    ] = DEFAULT_TEXTS,
    as_json: JsonOption = False,
) -> None:
    """Show what a draft, the only rule in its file, would have done with recent texts.

    It takes the place of the rule with its name, or with the id that is given.
    """
    text = _decode(file.read())

    async def run(database: Database, settings: Settings) -> rule_preview.RulePreview:
        drafts = read_rules(text, timezone=settings.provider_timezone)
        if len(drafts) != 1:
            raise InvalidInput(f"one rule is tried at a time; the file has {len(drafts)}")
        known = await database.read(rules.read_rules)
        named = next((each.id for each in known if each.name == drafts[0].name.strip()), 0)
        return await try_rule(
            database,
            replace(drafts[0], id=decode_id("rul", rule_id) if rule_id else named),
            position=drafts[0].position or None,
            limit=limit,
            limits=settings.reply_limits,
            region=settings.default_region,
        )

    found = run_on_database(run)
    if as_json:
        print_json(Trial.model_validate(found))
    else:
        _print_trial(found)


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("the file is not in UTF-8") from None


def _describe_conditions(rule: domain.Rule) -> str:
    stated = {
        name: ",".join(value) if isinstance(value, list) else value
        for name, value in list_fields(rule).items()
        if name not in _SHOWN and value
    }
    return " ".join(f"{name}={value}" for name, value in stated.items())


def _print_changes(steps: Sequence[RuleChange]) -> None:
    for step in steps:
        what = f": {', '.join(step.changes)}" if step.changes else ""
        typer.echo(f"{step.kind} {step.rule.name}{what}")
    if not steps:
        typer.echo("nothing changes", err=True)


def _print_trial(found: rule_preview.RulePreview) -> None:
    print_table(
        ("sender", "parts", "credits", "reply"),
        [(each.source, each.parts, each.credits, each.body) for each in found.replies],
    )
    cost = sum(each.credits for each in found.replies)
    typer.echo(
        f"{found.tried} texts, {found.matched} for this rule: {len(found.replies)} answered, for"
        f" about {cost} credits",
        err=True,
    )
    for code, count in sorted(found.silenced.items()):
        typer.echo(f"{count} silenced: {code}", err=True)
    if found.too_long:
        typer.echo(f"{found.too_long} replies too long to go out", err=True)
    for risk in found.loop_risk:
        typer.echo(f"loop risk: {f'{risk.source} ' if risk.source else ''}{risk.text}", err=True)
