"""The address book: the import of the page's example, duplicates, groups, deleting."""

from tests.simulator.play import ADA, GRACE, Played, each_cell

CARA = "447700900013"


def imported(played: Played, *lines: str, **flags: str) -> str:
    return played.ask("ImportContactsCSV", ContactsCSV="\n".join(lines), **flags)


def names(played: Played) -> list[str]:
    return [row[0] for row in each_cell(played.ask("GetAllContacts"))][1:]


def test_example_of_the_page_is_answered_as_it_says(played: Played) -> None:
    answer = imported(
        played,
        f"Contact 1,{ADA},,group1",
        f"Contact 2,{GRACE},",
        f"Contact 3,{CARA},,group1,group2,group3",
        ",447700900014,,group3",
        "Contact 5,mynumber,,group3",
    )
    assert answer == (
        "1 : Success\n2 : Success\n3 : Success\n4 : Failed\n5 : Failed\n"
        "\n4 : No name\n5 : Invalid number (mynumber)\n"
    )
    assert names(played) == ["Contact 1", "Contact 2", "Contact 3"]


def test_contacts_and_groups_come_as_csv(played: Played) -> None:
    imported(played, f"Ada,{ADA},ada@example.com,one,two", f"Grace,{GRACE},,two")
    assert played.ask("GetAllContacts") == (
        '"Name","Number","Email","Groups"\n'
        f'"Ada","{ADA}","ada@example.com","one,two"\n'
        f'"Grace","{GRACE}","","two"\n'
    )
    assert played.ask("GetAllGroups") == '"Group","Contacts"\n"one","1"\n"two","2"\n'


def test_duplicates_are_refused_by_name_and_by_number(played: Played) -> None:
    imported(played, f"Ada,{ADA}")
    answer = imported(played, f"Ada,{GRACE}", f"Grace,{ADA}", f"Cara,{CARA}")
    assert answer == "1 : Duplicate Name\n2 : Duplicate Number\n3 : Success\n"


def test_ignored_duplicates_are_made(played: Played) -> None:
    imported(played, f"Ada,{ADA}")
    assert imported(played, f"Ada,{ADA}", IgnoreDupes="1") == "1 : Success\n"
    assert names(played) == ["Ada", "Ada"]


def test_overwriting_wins_over_ignoring_and_goes_by_number(played: Played) -> None:
    imported(played, f"Ada,{ADA},old@example.com")
    flags = {"IgnoreDupes": "1", "OverwriteDupes": "1"}
    answer = imported(played, f"Augusta,{ADA},new@example.com", f"Augusta,{GRACE}", **flags)
    assert answer == "1 : Success\n2 : Success\n"
    assert list(each_cell(played.ask("GetAllContacts")))[1:] == [
        ["Augusta", ADA, "new@example.com", ""],
        ["Augusta", GRACE, "", ""],
    ]


def test_quoted_fields_and_blank_lines_are_lines_of_their_own(played: Played) -> None:
    answer = imported(played, f'"Lovelace, Ada",{ADA}', "", f"Grace,{GRACE}\r\n")
    assert answer == "1 : Success\n2 : Failed\n3 : Success\n\n2 : No name\n"
    assert names(played)[0] == "Lovelace, Ada"


def test_unknown_group_makes_a_line_partial_where_groups_are_not_made() -> None:
    played = Played(import_creates_groups=False)
    answer = imported(played, f"Ada,{ADA},,friends")
    assert answer == "1 : Partial\n\n1 : Unknown group (friends)\n"
    assert names(played) == ["Ada"]


def test_import_without_lines_is_refused(played: Played) -> None:
    assert imported(played, "") == "-507"


def test_emptied_group_stays_and_deleted_group_goes(played: Played) -> None:
    imported(played, f"Ada,{ADA},,one,two")
    assert played.ask("EmptyGroup", Group="one") == "1"
    assert played.ask("GetAllGroups") == '"Group","Contacts"\n"one","0"\n"two","1"\n'
    assert played.ask("DeleteGroup", Group="one") == "1"
    assert played.ask("DeleteGroup", Group="one") == "-520"
    assert names(played) == ["Ada"]


def test_deleting_all_contacts_empties_the_groups(played: Played) -> None:
    imported(played, f"Ada,{ADA},,one")
    assert played.ask("DeleteAllContacts") == "1"
    assert names(played) == []
    assert played.ask("GetAllGroups") == '"Group","Contacts"\n"one","0"\n'


def test_deleting_all_groups_keeps_the_contacts(played: Played) -> None:
    imported(played, f"Ada,{ADA},,one")
    assert played.ask("DeleteAllGroups") == "1"
    assert played.ask("GetAllGroups") == '"Group","Contacts"\n'
    assert names(played) == ["Ada"]


def test_address_books_belong_to_their_accounts(played: Played) -> None:
    imported(played, f"Ada,{ADA},,one")
    assert played.ask("EmptyGroup", token="child-token", Group="one") == "-520"
    assert played.ask("GetAllContacts", token="child-token").count("\n") == 1
