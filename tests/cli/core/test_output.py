"""What commands print of what strangers wrote."""

import pytest

from app.cli.core.output import print_table


def test_no_cell_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        ("source", "body"), [("447700900123", "\x1b]0;mine\x07\x9b31m caf\u00e9 \U0001f600")]
    )
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)
    assert "\\x1b]0;mine\\x07\\x9b31m caf\u00e9 \U0001f600" in shown
