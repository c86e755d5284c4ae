"""The CSV of contacts that people hand over: its heading and its columns."""

import pytest

from app.domain.errors import InvalidInput
from app.flows.conversations.import_contacts import read_contacts

ADA = "Ada,07700 900011,ada@example.com,friends\n"


@pytest.mark.parametrize(
    "heading",
    [
        "",
        "name,number,email,groups\n",
        "\ufeffName,Number,Email,Group1,Group2\n",
        '"Contact Name",Mobile,"Email Address"\n',
        "name,number\n",
        "\nname,number,email,group\n",
    ],
)
def test_a_heading_is_skipped(heading: str) -> None:
    [found] = read_contacts((heading + ADA).encode(), "GB")
    assert (found.name, found.number) == ("Ada", "447700900011")
    assert found.line == heading.count("\n") + 1


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("number,name,email", "column 1 of the heading is 'number', where 'name' belongs"),
        ("name,email,number", "column 2 of the heading is 'email', where 'number' belongs"),
        ("name,number,groups", "column 3 of the heading is 'groups', where 'email' belongs"),
        ("name,number,email,notes", "column 4 of the heading is 'notes', where 'groups' belongs"),
        ("id,name,number", "column 1 of the heading is 'id', where 'name' belongs"),
        ("name;number;email", "line 1 has no commas"),
        ("name\tnumber", "line 1 has no commas"),
    ],
)
def test_a_heading_in_another_order_names_the_column(heading: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_contacts(f"{heading}\n{ADA}".encode(), "GB")


@pytest.mark.parametrize("row", ["Name,07700 900012,", "Group,mine,email", "name,,"])
def test_a_contact_with_a_word_of_the_heading_for_a_name_is_one(row: str) -> None:
    assert len(read_contacts(f"{row}\n{ADA}".encode(), "GB")) == 2


def test_a_heading_alone_is_no_contact() -> None:
    with pytest.raises(InvalidInput, match="no contact to import"):
        read_contacts(b"name,number,email,groups\n", "GB")
