"""`letterbox members`: invited by a printed link, listed, another role, deactivated."""

import json

from tests.cli.test_store_commands import Run
from tests.cli.test_store_commands import run as run


def test_members_are_invited_and_changed(run: Run) -> None:
    made = run("members", "invite", "Ada", "--role", "admin")
    assert made.stdout.startswith("http")
    assert "/sign-in?link=" in made.stdout
    assert "not shown again" in made.stderr
    shown = json.loads(run("members", "invite", "Grace", "--json").stdout)
    assert (shown["name"], shown["role"], shown["state"]) == ("Grace", "office", "invited")
    again = json.loads(run("members", "invite", "grace", "--json").stdout)
    assert (again["id"], again["link"] == shown["link"]) == (shown["id"], False)
    assert run("members", "role", "GRACE", "admin").stdout == "Grace has the role admin\n"
    listed = [json.loads(line) for line in run("members", "list", "--json").stdout.splitlines()]
    assert [(each["name"], each["role"]) for each in listed] == [
        ("Grace", "admin"),
        ("Ada", "admin"),
    ]
    assert run("members", "deactivate", "Ada", "--yes").stdout == "deactivated Ada\n"
    table = run("members", "list").stdout
    assert "deactivated" in table
    assert "never" in table


def test_what_cannot_be_done_is_said_in_a_line(run: Run) -> None:
    run("members", "invite", "Ada")
    for arguments, text in (
        (("role", "Joan", "admin"), "no member called Joan"),
        (("role", "Ada", "owner"), "no role owner: choose office or admin"),
        (("invite", " "), "write a name"),
    ):
        refused = run("members", *arguments)
        assert refused.exit_code != 0
        assert text in str(refused.exception)
    assert run("members", "deactivate", "Ada", typed="n\n").exit_code == 1
    assert '"state":"invited"' in run("members", "list", "--json").stdout
