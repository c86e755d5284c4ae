"""Which text the bytes of a forward become, whatever charset was declared."""

import pytest

from app.provider.forwards.charsets import convert_to_utf8, decode_text, find_codec, read_wide


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
        pytest.param("latin1", b"caf\xe9 \x80", "café €", set(), id="Latin-1 is Windows-1252"),
        pytest.param("iso-8859-15", b"\xa4", "€", set(), id="Latin-9"),
        pytest.param("windows-1252", b"\x80", "€", set(), id="Windows-1252"),
        pytest.param("cp1250", b"\x9c", "ś", set(), id="Windows-1250"),
        pytest.param("Shift_JIS", b"\x82\xa0", "あ", set(), id="Shift JIS"),
        pytest.param("GB18030", b"\xc4\xe3", "你", set(), id="GB18030"),
        pytest.param("windows-1252", b"\x81\xc3\xa9", "\x81Ã©", {"charset"}, id="does not fit"),
        pytest.param("windows-1252", b"\x81\xff", "\x81ÿ", {"charset"}, id="nothing fits"),
        pytest.param("Shift_JIS", b"\xc3\xa9\xff", "Ã©ÿ", {"charset"}, id="neither this nor UTF-8"),
        pytest.param("US-ASCII", "é€".encode(), "é€", {"charset"}, id="not this but UTF-8"),
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
        "iso-8859-1", "latin1", "ISO8859_1", "iso-8859-15", "us-ascii", "windows-1252", "cp1250",
        "windows-1251", "koi8-r", "windows-874", "iso-8859-8-i", "macintosh", "cp850", "'latin1'",
    ],
)  # fmt: skip
@pytest.mark.parametrize("text", ["café €5", "Grüße 😀", "Привет", "あ", "\u0081é", "\ufffd", "é"])
def test_utf_8_is_that_whatever_charset_of_single_bytes_was_declared(
    charset: str, text: str
) -> None:
    found: set[str] = set()
    assert decode_text(text.encode(), find_codec(charset), found) == text
    assert found == {"charset"}
    assert convert_to_utf8(text.encode(), charset, found) == text.encode()


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("windows-874", b"\xca\xc7\xd1\xca", "สวัส"),
        ("tis-620", b"\x80\xca", "€ส"),
        ("iso-8859-8-i", b"\xf9\xec\xe5\xed", "שלום"),
        ("logical", b"\xf9", "ש"),
        ("x-sjis", b"\x82\xa0\x87\x40", "あ①"),
        ("windows-31j", b"\x87\x40", "①"),
        ("ISO-8859-1", b"\x93x\x94 \x80", "“x” €"),
        ("iso8859_1", b"\x80", "€"),
        ("l1", b"\x80", "€"),
        ("iso-8859-9", b"\x80\xfd", "€\u0131"),
        ("x-mac-cyrillic", b"\x8f\xe0", "Па"),
        ("x-cp1251", b"\xcf", "П"),
        ("koi8-u", b"\xf0\xa4", "Пє"),
        ("ks_c_5601-1987", b"\xb0\xa1\x81\x41", "가갂"),
        ("gb2312", b"\xc4\xe3\x81\x40", "你丂"),
        ("big5", b"\xa7\x41", "你"),
        ("euc-jp", b"\xa4\xa2", "あ"),
        (" Latin1 ", b"\xe9", "é"),
        ("'iso-8859-15'", b"\xa4", "€"),
        ("cp437", b"\x82", "é"),
    ],
)
def test_labels_mean_what_the_webs_standard_says(charset: str, data: bytes, text: str) -> None:
    found: set[str] = set()
    assert decode_text(data, find_codec(charset), found) == text
    assert found == set()


@pytest.mark.parametrize(
    ("codec", "data", "text"),
    [
        pytest.param(None, "café €".encode()[:-1], "café \ufffd", id="after another"),
        pytest.param(None, b"Hi \xf0\x9f\x98", "Hi \ufffd", id="more than its first byte"),
        pytest.param("latin1", "Grüße 😀".encode()[:-2], "Grüße \ufffd", id="declared otherwise"),
        pytest.param(None, b"caf\xe9", "café", id="one byte after ASCII is Latin-1"),
        pytest.param("latin1", b"\xed\xa0\xbd\xed\xb8\x80", "😀", id="surrogates"),
    ],
)
def test_what_is_cut_off_within_a_character_keeps_the_others(
    codec: str | None, data: bytes, text: str
) -> None:
    found: set[str] = set()
    assert decode_text(data, find_codec(codec), found) == text
    assert found == {"charset"}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("declared", [None, "utf-8", "UTF-16", "utf-16be", "utf-32", "latin1"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_wide_text_is_known_by_its_mark_or_its_nuls(
    encoding: str, declared: str | None, mark: str
) -> None:
    found: set[str] = set()
    wide = read_wide((mark + "msg=café 😀").encode(encoding), declared, found)
    assert wide == (mark + "msg=café 😀").encode()
    is_declared = declared is not None and declared.lower().startswith(("utf-16", "utf-32"))
    assert found == (set() if is_declared else {"charset"})


@pytest.mark.parametrize(
    ("data", "charset", "text", "problems"),
    [
        pytest.param("Привет".encode("utf-16-le"), "utf-16", "Привет", set(), id="declared alone"),
        pytest.param("Привет".encode("utf-16-be"), "utf-16be", "Привет", set(), id="big end first"),
        pytest.param("Привет".encode("utf-16-le"), "ucs-2", "Привет", set(), id="by another name"),
        pytest.param("a=é".encode("utf-16-le")[:-1], "utf-16", "a=", {"charset"}, id="cut off"),
        pytest.param(b"a=1", "utf-16", None, set(), id="declared, but ASCII"),
        pytest.param("a=é".encode(), "utf-16", None, set(), id="declared, but UTF-8"),
        pytest.param(b"", "utf-16", None, set(), id="nothing"),
        pytest.param(b"\xff\xfe\x00", None, "\ufeff", {"charset"}, id="a mark and half a unit"),
        pytest.param(b"\0\0\0\1\xff\xff\xff\xff", None, None, set(), id="no text at all"),
        pytest.param("Привет".encode("utf-16-le"), None, None, set(), id="nothing to know it by"),
    ],
)
def test_a_wide_text_is_read_where_it_can_be_known(
    data: bytes, charset: str | None, text: str | None, problems: set[str]
) -> None:
    found: set[str] = set()
    wide = read_wide(data, charset, found)
    assert wide == (None if text is None else text.encode())
    assert found == problems


@pytest.mark.parametrize(
    "charset",
    [
        None, "", "utf-8", "UTF8", "utf_8", "U8", "no-such", "utf-7", "utf-16", "utf-16le",
        "utf-32", "cp037", "cp500", "rot13", "idna", "punycode", "unicode_escape",
        "raw_unicode_escape", "undefined", "zlib", "base64", "hex", "quopri", "uu", "mbcs", "oem",
        "iso-2022-jp", "iso-2022-kr", "hz",
        "replacement", "x-user-defined", "unicode-1-1-utf-8",
        "../../etc/passwd", "os", "a" * 70_000, "\ud800", "\0",
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
    assert convert_to_utf8(data, charset, set()) == expected
