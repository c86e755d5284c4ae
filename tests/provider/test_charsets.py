"""Which text the bytes of a forward become, whatever charset was declared."""

import pytest

from app.provider.charsets import convert_to_utf8, decode_text, find_codec


@pytest.mark.parametrize(
    ("data", "text", "problems"),
    [
        pytest.param(b"", "", set(), id="nothing"),
        pytest.param(b"Hi", "Hi", set(), id="ASCII"),
        pytest.param("café 😀".encode(), "café 😀", set(), id="UTF-8"),
        pytest.param(b"\xef\xbb\xbfHi", "Hi", set(), id="a byte order mark"),
        pytest.param(b"caf\xe9 \x80 \x93x\x94", "café € “x”", {"charset"}, id="Windows-1252"),
        pytest.param(
            b"\xe9\x81\x8d\x8f\x90\x9d", "é\x81\x8d\x8f\x90\x9d", {"charset"}, id="undefined there"
        ),
        pytest.param(b"a\0b", "a\ufffdb", {"control"}, id="NUL"),
        pytest.param(b"\0\xe9", "\ufffdé", {"charset", "control"}, id="NUL and Windows-1252"),
        pytest.param(b"a\x01\x1b\x7fb", "a\x01\x1b\x7fb", set(), id="controls that can be stored"),
        pytest.param(b"\xed\xa0\x80!", "\ufffd!", {"control"}, id="a lone high surrogate"),
        pytest.param(b"\xed\xb8\x80!", "\ufffd!", {"control"}, id="a lone low surrogate"),
        pytest.param(b"\xed\xa0\xbd\xed\xb8\x80", "😀", {"charset"}, id="a pair of them (CESU-8)"),
        pytest.param("\ufffd".encode() + b"\xed\xa0\xbd\xed\xb8\x80", "\ufffd😀", {"charset"},
            id="a pair after the replacement character"),
        pytest.param(b"\xc0\x80", "À€", {"charset"}, id="an overlong NUL"),
        pytest.param(b"\xf4\x90\x80\x80", "ô\x90€€", {"charset"}, id="beyond Unicode"),
        pytest.param("\uffff\U0010ffff".encode(), "\uffff\U0010ffff", set(), id="noncharacters"),
    ],
)  # fmt: skip
def test_without_a_charset_utf_8_and_then_windows_1252(
    data: bytes, text: str, problems: set[str]
) -> None:
    found: set[str] = set()
    assert decode_text(data, None, found) == text
    assert found == problems


@pytest.mark.parametrize(
    ("charset", "data", "text", "problems"),
    [
        pytest.param("ISO-8859-1", b"caf\xe9", "café", set(), id="Latin-1"),
        pytest.param("latin1", b"caf\xe9", "café", set(), id="Latin-1 by another name"),
        pytest.param("latin1", b"\xc3\xa9", "Ã©", set(), id="Latin-1 that might be UTF-8"),
        pytest.param("iso-8859-15", b"\xa4", "€", set(), id="Latin-9"),
        pytest.param("windows-1252", b"\x80", "€", set(), id="Windows-1252"),
        pytest.param("cp1250", b"\x9c", "ś", set(), id="Windows-1250"),
        pytest.param("Shift_JIS", b"\x82\xa0", "あ", set(), id="Shift JIS"),
        pytest.param("GB18030", b"\xc4\xe3", "你", set(), id="GB18030"),
        pytest.param("windows-1252", b"\x81\xc3\xa9", "\x81Ã©", {"charset"}, id="does not fit"),
        pytest.param("windows-1252", b"\x81\xff", "\x81ÿ", {"charset"}, id="nothing fits"),
        pytest.param("Shift_JIS", b"\xc3\xa9\xff", "Ã©ÿ", {"charset"}, id="neither this nor UTF-8"),
        pytest.param("US-ASCII", "é€".encode(), "é€", set(), id="not this but UTF-8"),
    ],
)
def test_a_declared_charset_comes_before_utf_8(
    charset: str, data: bytes, text: str, problems: set[str]
) -> None:
    found: set[str] = set()
    assert decode_text(data, find_codec(charset), found) == text
    assert found == problems


@pytest.mark.parametrize(
    "charset",
    [
        None, "", "utf-8", "UTF8", "utf_8", "U8", "no-such", "utf-7", "utf-16", "utf-16le",
        "utf-32", "cp037", "cp500", "rot13", "idna", "punycode", "unicode_escape",
        "raw_unicode_escape", "undefined", "zlib", "base64", "hex", "quopri", "uu", "mbcs", "oem",
        "iso-2022-jp", "iso-2022-kr", "hz", "../../etc/passwd", "os", "a" * 70_000, "\ud800", "\0",
    ],
)  # fmt: skip
def test_utf_8_needs_no_codec_and_an_odd_charset_gets_none(charset: str | None) -> None:
    assert find_codec(charset) is None


@pytest.mark.parametrize(
    ("charset", "data", "expected"),
    [
        pytest.param("iso-8859-1", b"caf\xe9", b"caf\xc3\xa9", id="Latin-1"),
        pytest.param("utf-8", b"caf\xe9", b"caf\xe9", id="UTF-8 is left alone"),
        pytest.param("Shift_JIS", b"\xff", b"\xff", id="what does not fit is left alone"),
        pytest.param("utf-16", b"a\0", b"a\0", id="an odd charset is ignored"),
        pytest.param(None, b"\xe9", b"\xe9", id="none declared"),
    ],
)
def test_bytes_are_brought_to_utf_8_where_they_can_be(
    charset: str | None, data: bytes, expected: bytes
) -> None:
    assert convert_to_utf8(data, charset) == expected
