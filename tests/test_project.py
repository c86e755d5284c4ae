"""The project's own promises: settings that are documented, locks without addresses, one schema."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from typer._click.core import Command, Context
from typer.core import TyperGroup
from typer.main import get_group
from typer.testing import CliRunner

from app.cli.commands import app
from app.cli.operations.doctor import MAX_SILENCE_SECONDS
from app.settings import PREFIX, Settings
from app.storage import tables as tables  # registers all of them
from app.storage.data_dir import DataDir
from app.storage.db.columns import metadata
from app.storage.db.database import Connection, Database
from app.storage.db.migrate import MIGRATIONS, list_revisions

ROOT = Path(__file__).parents[1]


def list_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def describe_defaults() -> dict[str, str]:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    return {
        name: value.lower() if value in {"True", "False"} else value
        for name, value in settings.describe()
    }


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in describe_defaults():
        monkeypatch.delenv(name, raising=False)


def test_the_table_of_settings_is_true() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text()
    rows = re.findall(rf"^\| `({PREFIX}\w+)` \| (?:`(.*?)`)? ?\| \S", text, re.MULTILINE)
    assert dict(rows) == describe_defaults()


def test_the_example_of_an_environment_is_true() -> None:
    text = (ROOT / ".env.example").read_text()
    lines = re.findall(rf"^#({PREFIX}\w+)=(.*)$", text, re.MULTILINE)
    shown = dict(lines)
    shown[f"{PREFIX}DATA_DIR"] = str(Path(shown[f"{PREFIX}DATA_DIR"]))
    assert shown == describe_defaults()


def test_the_example_shows_every_variable_that_compose_reads() -> None:
    wanted = set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    shown = set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert "POSTGRES_PASSWORD" in wanted
    assert wanted <= shown


def test_compose_gives_the_simulator_no_secret() -> None:
    """It asks nobody for a key, and shows what it was given."""
    simulator = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["simulator"]
    assert not {"env_file", "environment"} & set(simulator)
    taken = str(simulator).replace("$$(cat /demo/auth)", "").replace("${MEMORY:-1g}", "")
    assert "$" not in taken
    assert simulator["volumes"] == ["demo:/demo:ro"]


def test_compose_looks_for_the_heartbeat_that_the_worker_gives() -> None:
    heartbeat = str(DataDir(Path("/data")).heartbeat).replace(socket.gethostname(), "$$HOSTNAME")
    check = f"find {heartbeat} -newermt '-{MAX_SILENCE_SECONDS} seconds' | grep -q ."
    assert check in (ROOT / "docker-compose.yml").read_text()


def test_containers_of_ours_write_to_their_volumes_alone_and_have_no_right_of_roots() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = [each for each in services.values() if each["image"].startswith("letterbox:")]
    assert len(ours) == 5
    assert not any("cap_add" in each for each in ours)
    for each in services.values():
        assert each["read_only"]
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert each["mem_limit"]
        assert each["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


def fill_in(value: str) -> str:
    """The default of a variable in compose, or for what .env must have, something long enough."""
    return re.sub(r"\$\{\w+:?(?:-([^}]*)|\?[^}]*)\}", lambda found: found[1] or "x" * 32, value)


def test_letterbox_takes_what_compose_gives_it_and_trusts_its_gateway_and_its_own_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for name, value in compose["services"]["web"]["environment"].items():
        monkeypatch.setenv(name, fill_in(value))
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert settings.is_postgres
    # Unless it is named, the gateway gets the first address of the range.
    [network] = compose["networks"]["default"]["ipam"]["config"]
    caddy = compose["services"]["caddy"]["networks"]["default"]["ipv4_address"]
    near = [f"{fill_in(each)}/32" for each in (network["gateway"], caddy)]
    assert [str(each) for each in settings.trusted_proxies] == near


def test_the_manifests_for_kubernetes_name_settings_that_exist_and_each_other() -> None:
    folder = ROOT / "docs/deploy/kubernetes"
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    known = {f"LETTERBOX_{name.upper()}" for name in Settings.model_fields}
    settings = (folder / "settings.env").read_text()
    assert set(re.findall(r"^(\w+)=", settings, re.MULTILINE)) <= known
    found = [
        part
        for name in kustomization["resources"]
        for part in yaml.safe_load_all((folder / name).read_text())
    ]
    pods = {
        each["kind"]: each["spec"]["template"]["spec"]
        for each in found
        if "template" in each["spec"]
    }
    assert set(pods) == {"StatefulSet", "Deployment"}
    for pod in pods.values():
        [container] = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert {each["mountPath"] for each in container["volumeMounts"]} == {"/data", "/tmp"}
        assert [each["configMapRef"]["name"] for each in container["envFrom"][:1]] == ["letterbox"]
    [service] = [each for each in found if each["kind"] == "Service"]
    [ingress] = [each for each in found if each["kind"] == "Ingress"]
    [path] = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]


@pytest.mark.parametrize("pattern", ["*.lock", "Makefile", "pyproject.toml", "Dockerfile", "run"])
def test_what_installs_things_names_no_address(pattern: str) -> None:
    files = [file for file in list_files() if file.match(pattern)]
    assert files
    for file in files:
        assert "://" not in file.read_text().replace("://127.0.0.1", ""), file


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    needles = [f"{ROOT}/".encode(), f"{Path.home()}/".encode()]
    for file in list_files():
        data = file.read_bytes()
        assert not any(needle in data for needle in needles), file


# The search indexes are made for each database by hand, and have no table in the code.
SEARCHES = ("message_search", "outbound_search")


def find_differences(conn: Connection) -> list[object]:
    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or not (name or "").startswith(SEARCHES)

    context = MigrationContext.configure(conn, opts={"include_name": is_ours})
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_the_tables_that_the_code_sees(database: Database) -> None:
    assert await database.read(find_differences) == []


def test_the_names_of_the_migrations_tell_their_order() -> None:
    walked = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    assert list_revisions() == [script.revision for script in walked][::-1]


def test_the_page_about_data_names_every_table() -> None:
    named = set(re.findall(r"`(\w+)`", (ROOT / "docs/reference/data.md").read_text()))
    assert set(metadata.tables) <= named


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    printed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"make ([\w-]+)", printed)) == targets


def test_the_hooks_before_a_commit_are_the_commands_of_make_check() -> None:
    makefile = (ROOT / "Makefile").read_text()
    [recipe] = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook["entry"] for hook in repository["hooks"]]
    assert hooks == recipe.replace("\t$(BIN)", ".venv/bin").splitlines()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_that_a_page_for_developers_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    paths = set(re.findall(r"`([\w./-]+(?:/|\.(?:py|md|yml|toml|html)))`", text))
    paths |= set(re.findall(r"\]\(([\w./-]+)\)", text))
    # Those of the layout: whatever begins a line in a block, indented where it is in app/.
    paths |= {f"app/{name}" for name in re.findall(r"^  ([\w.]+(?:/|\.py)) ", text, re.MULTILINE)}
    paths |= set(re.findall(r"^(\w+/) ", text, re.MULTILINE))
    # What the service makes, and what stands for a file that is yet to come.
    paths -= {"spool/refused/", "spool/damaged/", "migrations/versions/NNNN_name.py"}
    assert len(paths) > 20
    files = [f"/{file.relative_to(ROOT)}" for file in list_files()]
    for path in paths:
        end = f"/{path}"
        assert any(end in file if end.endswith("/") else file.endswith(end) for file in files), path


def list_commands(command: Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, TyperGroup):
        context = Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from list_commands(inner, *path, name)


@pytest.mark.parametrize("command", list(list_commands(get_group(app))), ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="letterbox")
    assert result.exit_code == 0
    usage, _, explanation = result.output.strip().partition("\n")
    assert " ".join(("Usage: letterbox", *command)) in usage
    assert re.search(r"\w+ \w+.*\.", explanation.partition("Options")[0], re.DOTALL)


def find_command(path: tuple[str, ...]) -> Command:
    command: Command = get_group(app)
    for name in path:
        assert isinstance(command, TyperGroup)
        inner = command.get_command(Context(command), name)
        assert inner is not None
        command = inner.make_context(name, [], resilient_parsing=True).command
    return command


@pytest.mark.parametrize("command", list(list_commands(get_group(app))), ids=" ".join)
def test_every_argument_and_option_explains_itself(command: tuple[str, ...]) -> None:
    parameters = find_command(command).params
    assert [each.name for each in parameters if not getattr(each, "help", None)] == []


@pytest.mark.parametrize("name", get_group(app).list_commands(Context(get_group(app))))
def test_the_list_of_commands_says_what_each_says_itself(name: str) -> None:
    group = get_group(app)
    listed = group.get_command(Context(group), name)
    assert listed is not None
    asked = listed.make_context(name, [], resilient_parsing=True).command
    assert (listed.help or "").splitlines()[0] == (asked.help or "").splitlines()[0]


SLOW = {"fastapi", "sqlalchemy", "alembic", "httpx2", "app.simulator"}


HELP = """
import sys
from app.cli import main
sys.argv = ["letterbox", *sys.argv[1:]]
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",), ("serve", "--help")])
def test_help_needs_nothing_that_is_slow(arguments: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HELP, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "letterbox" in ended.stdout
    loaded = set(ended.stderr.split())
    assert "typer" in loaded
    assert loaded & (SLOW | {"asyncio", "rich", "uvicorn"}) == set()


def test_help_shows_whole_sentences() -> None:
    shown = CliRunner().invoke(app, ["--help"], prog_name="letterbox").output
    assert "..." not in shown.replace("[ARGS]...", "")


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        # What opens the socket and supervises those that serve it.
        ("app.cli.process.serve", SLOW),
        # What a command beside the service needs, whose schema is this release's.
        ("app.cli.core.offline", SLOW - {"sqlalchemy"}),
    ],
)
def test_what_starts_first_needs_nothing_that_is_slow(module: str, unneeded: set[str]) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert unneeded & set(loaded) == set()
