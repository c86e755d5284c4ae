"""Child users and the credits that move between them and their parent."""

import pytest

from tests.simulator.play import Played

NEW = {
    "ChildUsername": "new",
    "ChildPassword": "secret",
    "AccessLevel": "Normal",
    "FirstName": "New",
    "LastName": "User",
    "Email": "new@example.com",
    "Credits": "5",
}


def new_token(played: Played) -> str:
    account = played.world.accounts.get("new")
    assert account is not None
    return account.token


def test_created_user_can_call_with_the_credits_it_was_given(played: Played) -> None:
    assert played.ask("CreateUser", **NEW, Telephone="447700900010", CreditReminder="3") == "1"
    assert played.ask("CheckCredits") == "995.00"
    assert played.ask("CheckCredits", token=new_token(played)) == "5.00"


def test_created_admin_can_create_users(played: Played) -> None:
    played.ask("CreateUser", **NEW | {"AccessLevel": "admin"})
    answer = played.ask("CreateUser", new_token(played), **NEW | {"ChildUsername": "grandchild"})
    assert answer == "1"


@pytest.mark.parametrize("missing", NEW)
def test_each_missing_detail_has_a_line_beneath_the_code(played: Played, missing: str) -> None:
    assert played.ask("CreateUser", **NEW | {missing: ""}) == f"-507\n{missing} is missing"


def test_every_problem_of_a_user_is_named(played: Played) -> None:
    wrong = {"ChildUsername": "poor", "AccessLevel": "King", "Email": "nowhere", "Credits": "-1"}
    assert played.ask("CreateUser", **NEW | wrong, ShowErrorMessage="1").splitlines() == [
        "-508",
        "Error Creating User",
        "Username is already in use",
        "AccessLevel must be Normal or Admin",
        "Email is not an email address",
        "Credits must be a number, 0 or more",
    ]


def test_only_admins_create_users(played: Played) -> None:
    answer = played.ask("CreateUser", token="child-token", **NEW)
    assert answer == "-508\nOnly admin users can create users"


def test_user_cannot_begin_with_credits_that_are_not_there(played: Played) -> None:
    answer = played.ask("CreateUser", **NEW | {"Credits": "1000.01"})
    assert answer == "-100\nYou do not have enough credits for this user"


def test_credits_move_to_a_child_and_back(played: Played) -> None:
    child = {"ChildUsername": "child"}
    assert played.ask("UpdateCredits", **child, Quantity="250") == "1"
    assert played.ask("CheckCredits", token="child-token") == "1250.00"
    assert played.ask("UpdateCredits", **child, Quantity="-1250") == "1"
    assert played.ask("CheckCredits", token="child-token") == "0.00"
    assert played.ask("CheckCredits") == "2000.00"


@pytest.mark.parametrize(
    ("username", "quantity", "code"),
    [
        ("child", "1001", "-100"),
        ("child", "-1001", "-510"),
        ("child", "NaN", "-702"),
        ("child", "Infinity", "-702"),
        ("poor", "1", "-509"),
        ("nobody", "1", "-509"),
        ("demo", "1", "-509"),
        ("", "1", "-507"),
        ("child", "", "-507"),
    ],
)
def test_credits_do_not_move_wrongly(
    played: Played, username: str, quantity: str, code: str
) -> None:
    assert played.ask("UpdateCredits", ChildUsername=username, Quantity=quantity) == code
    assert played.ask("CheckCredits") == "1000.00"
