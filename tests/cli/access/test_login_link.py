"""`letterbox login-link`: whoever mistypes a name is told that a new admin comes of it."""

import pytest

from tests.cli.test_store_commands import Run
from tests.cli.test_store_commands import run as run


def test_the_first_link_says_that_it_adds_the_first_member(run: Run) -> None:
    made = run("login-link")
    assert made.stdout.count("\n") == 1
    assert "/sign-in?link=" in made.stdout
    assert made.stderr == "This link adds the first member: admin, an admin.\n"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("Gace", "Did you mean Grace?"), ("Joan", "`letterbox members list` lists them.")],
)
def test_a_name_that_nobody_has_is_said_to_be_new(run: Run, name: str, hint: str) -> None:
    run("members", "invite", "Grace")
    made = run("login-link", "--name", name)
    assert "/sign-in?link=" in made.stdout
    assert made.stderr == f"No member is called {name}: this link adds one, an admin. {hint}\n"


@pytest.mark.parametrize("name", ["Grace", " grace "])
def test_a_members_link_needs_no_word(run: Run, name: str) -> None:
    run("members", "invite", "Grace")
    made = run("login-link", "--name", name)
    assert ("/sign-in?link=" in made.stdout, made.stderr) == (True, "")
