"""How forms, JSON and multipart bodies fall apart, damaged ones too."""

import pytest

from app.domain.inbound.urlencoded import Parameter, split_form
from app.provider.forwards.bodies import split_body
from tests.provider.forwards.receiving import FORM, JSON, MULTIPART


def make_part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"&&", [], id="separators alone"),
        pytest.param(b"a=1&a=2&A=3", [(b"a", b"1"), (b"a", b"2"), (b"A", b"3")], id="repeats"),
        pytest.param(b"a&=b&=", [(b"a", b""), (b"", b"b"), (b"", b"")], id="half pairs"),
        pytest.param(b"a+b=c+%2B", [(b"a b", b"c +")], id="plus is a space"),
        pytest.param(b"a=b=c;d", [(b"a", b"b=c;d")], id="only the first sign separates"),
        pytest.param(b"%3D=%26%3d", [(b"=", b"&=")], id="escaped separators"),
        pytest.param(b"%FF=%00%e9", [(b"\xff", b"\0\xe9")], id="any bytes"),
        pytest.param(b"a=%zz%4&b=%", [(b"a", b"%zz%4"), (b"b", b"%")], id="broken escapes"),
        pytest.param(b"a=%2&6=%2%36", [(b"a", b"%2"), (b"6", b"%26")], id="escapes in pieces"),
        pytest.param(b"a=%2526", [(b"a", b"%26")], id="unescaped only once"),
        pytest.param(b"\xef\xbb\xbfa=1", [(b"a", b"1")], id="a byte order mark"),
    ],
)
def test_a_form_falls_apart_at_its_separators(data: bytes, pairs: list[Parameter]) -> None:
    assert split_form(data) == pairs
    # The escaped sign sends the same form the other way.
    assert split_form(data + b"&%3D") == [*pairs, (b"=", b"")]


@pytest.mark.parametrize(
    ("body", "pairs"),
    [
        pytest.param(b'{"a":12345678901234567890,"b":1.50,"c":-1E5}',
            [(b"a", b"12345678901234567890"), (b"b", b"1.50"), (b"c", b"-1E5")],
            id="numbers keep their digits"),
        pytest.param(b'{"a":' + b"9" * 5_000 + b"}", [(b"a", b"9" * 5_000)], id="a huge number"),
        pytest.param(b'{"a":true,"b":false,"c":null,"d":NaN}',
            [(b"a", b"true"), (b"b", b"false"), (b"c", b""), (b"d", b"NaN")], id="words"),
        pytest.param(b'{"a":{"b": [1, 2.0, "c d"], "b": "\\u00e9\\" "} , "e": [ ]}',
            [(b"a", b'{"b":[1,2.0,"c d"],"b":"\\u00e9\\" "}'), (b"e", b"[]")],
            id="nested values lose only spaces"),
        pytest.param(b'{"a":1,"a":2}', [(b"a", b"1"), (b"a", b"2")], id="repeats"),
        pytest.param(b'{"\\u0061\\n":"\\ud83d\\ude00 \\"\\\\\\/\\t\\u0041\\\\u0041"}',
            [(b"a\n", '😀 "\\/\tA\\u0041'.encode())], id="escapes"),
        pytest.param(b'{"a":"\\ud800x\\uDC00\\u0000"}',
            [(b"a", b"\xed\xa0\x80x\xed\xb0\x80\0")], id="lone surrogates and NUL"),
        pytest.param(b'{"a":"line\nbreak\0"}', [(b"a", b"line\nbreak\0")], id="bare controls"),
        pytest.param(b'{"caf\xe9":"\xff \\"x\\""}', [(b"caf\xe9", b'\xff "x"')], id="any bytes"),
        pytest.param(b' \r\n{ "a" : "b" , }\n', [(b"a", b"b")], id="spaces and a comma too many"),
        pytest.param(b"{}", [], id="an empty object"),
        pytest.param(b'{"a":1} {"b":2}', [(b"a", b"1"), (b"body", b' {"b":2}')],
            id="more after the object"),
        pytest.param(b'{"a":1,"b":"he said "hi"","c":2}',
            [(b"a", b"1"), (b"body", b'"b":"he said "hi"","c":2}')],
            id="an unescaped quote: half a text is none"),
        pytest.param(b'{"a":"x","b":17', [(b"a", b"x"), (b"body", b'"b":17')],
            id="cut off in a number: half of one is none"),
        pytest.param(b'{"a":1 "b":2}', [(b"body", b'"a":1 "b":2}')], id="no comma"),
        pytest.param(b'{"a" 1}', [(b"body", b'"a" 1}')], id="no colon"),
        pytest.param(b'{"a":1,b:2}', [(b"a", b"1"), (b"body", b"b:2}")], id="no quotes"),
        pytest.param(b'{"a":1,2:3}', [(b"a", b"1"), (b"body", b"2:3}")], id="a number as name"),
        pytest.param(b'{"a":"\\x"}', [(b"body", b'"a":"\\x"}')], id="an unknown escape"),
        pytest.param(b'{"a":' * 9_000, [(b"body", (b'{"a":' * 9_000)[1:])], id="far too deep"),
        pytest.param(b'[{"a":"b=c"}]', [(b"body", b'[{"a":"b=c"}]')], id="an array"),
        pytest.param(b'"a=b"', [(b"body", b'"a=b"')], id="a string"),
        pytest.param(b"null", [(b"body", b"null")], id="null"),
    ],
)  # fmt: skip
def test_json_falls_apart_into_members_and_keeps_what_is_damaged(
    body: bytes, pairs: list[Parameter]
) -> None:
    assert split_body(body, JSON, set()) == (pairs, None)


@pytest.mark.parametrize(
    ("body", "pairs"),
    [
        pytest.param(b'{"a":"he said "hi"","auth":"secret"}',
            [(b"auth", b"secret"), (b"body", b'"a":"he said "hi"",}')], id="after the fault"),
        pytest.param(b'{"a":"he said "hi"", "AUTH" : "s\\u0041\\x\\u"}',
            [(b"auth", b"sAxu"), (b"body", b'"a":"he said "hi"", }')], id="escapes, odd ones too"),
        pytest.param(b'{"a":"he said "hi"","auth":1234}',
            [(b"auth", b"1234"), (b"body", b'"a":"he said "hi"",}')], id="a number"),
        pytest.param(b'{"a":"7","auth":"secr\\', [(b"a", b"7"), (b"auth", b"secr")], id="cut off"),
        pytest.param(b'[{"auth":""}]', [(b"auth", b""), (b"body", b"[{}]")], id="empty"),
    ],
)  # fmt: skip
def test_auth_is_found_in_damaged_json_and_cut_out(body: bytes, pairs: list[Parameter]) -> None:
    assert split_body(body, JSON, set()) == (pairs, None)


@pytest.mark.parametrize(
    ("body", "pairs"),
    [
        pytest.param(make_part("f", b"\x00\xff", '; filename="a.bin"') + b"--cut--",
            [(b"f", b"\x00\xff")], id="a file is a field"),
        pytest.param(make_part("q\\\"\\\\", b"v") + b"--cut--", [(b'q"\\', b"v")], id="quotes"),
        pytest.param(b"--cut\r\ncontent-disposition:form-data;NAME=f\r\n\r\nv\r\n--cut--",
            [(b"f", b"v")], id="a name in other case and without quotes"),
        pytest.param(b"--cut\r\ncontent-disposition:form-data;name='f'\r\n\r\nv\r\n--cut--",
            [(b"f", b"v")], id="a name in single quotes"),
        pytest.param(b'--cut\r\nContent-Type: text/plain; name="x.txt"\r\n'
            b'Content-Disposition: form-data; name="f"; filename="x.txt"\r\n\r\nv\r\n--cut--',
            [(b"f", b"v")], id="a name of the file before that of the field"),
        pytest.param(b'--cut\r\nContent-Disposition: form-data; filename="x; name=y"; name="f"'
            b"\r\n\r\nv\r\n--cut--", [(b"f", b"v")], id="a file whose name looks like the field's"),
        pytest.param(b'--cut\r\nContent-Type: text/plain; charset="ISO-8859-1"\r\n'
            b'Content-Disposition: form-data; name="f"\r\n\r\n\xa35\r\n--cut--',
            [(b"f", "£5".encode())], id="a part with its own charset"),
        pytest.param(b"--cut\r\n\r\nv\r\n--cut--", [(b"", b"v")], id="no head"),
        pytest.param(b"--cut\r\nX: y\r\n\r\nv\r\n--cut--", [(b"", b"v")], id="no name"),
        pytest.param(b"--cut\r\nno head\r\n--cut--", [(b"", b"\r\nno head")], id="no blank line"),
        pytest.param(make_part("f", b"v")[:-2], [(b"f", b"v")], id="no end"),
        pytest.param((make_part("f", b"v") + b"--cut--").replace(b"\r", b""),
            [(b"f", b"v")], id="bare newlines"),
        pytest.param(b"before\r\n" + make_part("f", b"v") + b"--cut--\r\nafter",
            [(b"body", b"before"), (b"f", b"v"), (b"body", b"\r\nafter")], id="text around it"),
        pytest.param(make_part("f", b"v") + b"--cut--\r\n" + make_part("g", b"w") + b"--cut--",
            [(b"f", b"v"), (b"g", b"w")], id="a part after the end"),
        pytest.param(b"--cut\r\n" + make_part("f", b"v\r\nw") + b"--cut--\r\n",
            [(b"", b""), (b"f", b"v\r\nw")], id="an empty part"),
        pytest.param(make_part("f", b"a --cut in it") + b"--cut--",
            [(b"f", b"a --cut in it")], id="the boundary inside a line"),
    ],
)  # fmt: skip
def test_multipart_falls_apart_at_its_boundaries_whatever_lies_between(
    body: bytes, pairs: list[Parameter]
) -> None:
    assert split_body(body, MULTIPART, set()) == (pairs, None)


@pytest.mark.parametrize(
    ("content_type", "body", "pairs"),
    [
        pytest.param(b"text/plain", b"Hello there", [(b"body", b"Hello there")], id="plain text"),
        pytest.param(b"", b"2 + 2 = 4", [(b"body", b"2 + 2 = 4")], id="a space before the sign"),
        pytest.param(b"text/xml", b"<a b='c'/>", [(b"body", b"<a b='c'/>")], id="XML"),
        pytest.param(b"image/png", b"\x89PNG\r\n", [(b"body", b"\x89PNG\r\n")], id="a picture"),
        pytest.param(b"", b" \r\n", [], id="white space alone"),
        pytest.param(FORM, b"{a=b", [(b"{a", b"b")], id="a form that begins like JSON"),
        pytest.param(FORM.upper() + b" ; x=y", b"Hello there", [(b"Hello there", b"")],
            id="a form without a sign"),
        pytest.param(b"MULTIPART/mixed; boundary=cut", b"before\r\n" + make_part("f", b"v")[:-2],
            [(b"body", b"before"), (b"f", b"v")], id="multipart of another kind"),
        pytest.param(b"text/plain", b"\r\nflag&x=1\r\n", [(b"flag", b""), (b"x", b"1")],
            id="a form as plain text, line breaks about it"),
        pytest.param(MULTIPART, b"x=1", [(b"x", b"1")], id="a form called multipart"),
        pytest.param(b"multipart/form-data; boundary=", b"-- \r\nContent-a:\r\n\r\nv",
            [(b"body", b"-- \r\nContent-a:\r\n\r\nv")], id="no boundary to be found"),
    ],
)  # fmt: skip
def test_a_body_of_no_known_form_is_kept(
    content_type: bytes, body: bytes, pairs: list[Parameter]
) -> None:
    assert split_body(body, content_type, set()) == (pairs, None)


@pytest.mark.parametrize(
    ("content_type", "body", "pairs", "charset"),
    [
        pytest.param(FORM + b"; charset=X", b"a=\xe9", [(b"a", b"\xe9")], "X", id="form: left"),
        pytest.param(b"text/plain;Charset = 'x'", b"\xe9", [(b"body", b"\xe9")], "'x'",
            id="text: left"),
        pytest.param(JSON + b'; charset="latin1"', b'{"a":"\xe9\\u20ac"}',
            [(b"a", "é€".encode())], None, id="JSON: brought to UTF-8"),
        pytest.param(JSON + b"; charset=Shift_JIS", b'{"a":"\xff"}', [(b"a", b"\xff")], None,
            id="JSON: does not fit"),
        pytest.param(MULTIPART + b"; charset=latin1", make_part("a", b"\xe9"),
            [(b"a", "é\r\n".encode())], None, id="multipart: brought to UTF-8"),
    ],
)  # fmt: skip
def test_the_charset_that_the_pairs_are_in_is_told(
    content_type: bytes, body: bytes, pairs: list[Parameter], charset: str | None
) -> None:
    assert split_body(body, content_type, set()) == (pairs, charset)


@pytest.mark.parametrize(
    ("head", "value", "text"),
    [
        ("Content-Transfer-Encoding: base64", b"Q2Fmw6kg\r\n4oKs", "Café €"),
        ("content-transfer-encoding:BASE64 ", b"SGk", "Hi"),
        ("Content-Transfer-Encoding: base64", b"no base64!", "no base64!"),
        ("Content-Transfer-Encoding: quoted-printable", b"Caf=C3=A9 =\r\n=E2=82=AC", "Café €"),
        ("Content-Transfer-Encoding: 8bit", "Café".encode(), "Café"),
        ("Content-Type: text/plain; charset=utf-16le", "Café".encode("utf-16-le"), "Café"),
        ("Content-Type: text/plain; charset=iso-8859-1", b"Caf\xe9 \x80", "Café €"),
        ("Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64",
            b"Q2Fm6Q==", "Café"),
    ],
)  # fmt: skip
def test_a_part_may_be_encoded_for_its_journey(head: str, value: bytes, text: str) -> None:
    body = make_part("msg", value, "\r\n" + head) + b"--cut--"
    assert split_body(body, MULTIPART, set()) == ([(b"msg", text.encode())], None)


def test_the_lines_of_a_multipart_body_may_end_as_they_like() -> None:
    body = (make_part("a", b"x\r\ny") + b"--cut--\r\n").replace(b"\r\n", b"\n")
    body = body.replace(b"x\ny", b"x\r\ny")
    assert split_body(body, MULTIPART, set()) == ([(b"a", b"x\r\ny")], None)
    padded = (make_part("a", b"v") + b"--cut--").replace(b"--cut\r", b"--cut  \r")
    assert split_body(padded, MULTIPART, set()) == ([(b"a", b"v")], None)
