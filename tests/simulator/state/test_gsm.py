"""How the simulator cuts texts into parts: provider.md's rules, by hand-counted cases."""

import pytest

from app.simulator.state.gsm import choose_encoding, split_parts


@pytest.mark.parametrize(
    ("body", "encoding", "lengths"),
    [
        ("", "gsm", [0]),
        ("x" * 160, "gsm", [160]),
        ("x" * 161, "gsm", [153, 8]),
        ("x" * 459, "gsm", [153, 153, 153]),
        ("€" * 80, "gsm", [80]),
        ("€" * 81, "gsm", [76, 5]),
        ("x" * 152 + "{" + "x" * 7, "gsm", [152, 8]),
        ("\f^{}\\[~]|€@£$¥\n", "gsm", [15]),
        ("ê", "ucs2", [1]),
        ("`", "ucs2", [1]),
        ("\t", "ucs2", [1]),
        ("\u2019", "ucs2", [1]),
        ("\u2013", "ucs2", [1]),
        ("\u2026", "ucs2", [1]),
        ("ж" * 70, "ucs2", [70]),
        ("ж" * 71, "ucs2", [67, 4]),
        ("😀" * 35, "ucs2", [35]),
        ("😀" * 36, "ucs2", [33, 3]),
        ("ж" * 66 + "😀" + "ж" * 4, "ucs2", [66, 5]),
    ],
)
def test_text_is_cut_where_the_alphabet_says(body: str, encoding: str, lengths: list[int]) -> None:
    parts = split_parts(body)
    assert choose_encoding(body) == encoding
    assert "".join(parts) == body
    assert [len(part) for part in parts] == lengths
