"""Bodies as nobody should write them, read as far as they can be."""

import json

import pytest

from app.domain.inbound.urlencoded import Parameter
from app.provider.forwards.bodies import split_body
from app.provider.forwards.parameters import MAX_PAIRS
from tests.provider.forwards.receiving import FORM, JSON

WHOLE = [(b"source", b"447700900123"), (b"msg", "Grüße 😀".encode()), (b"auth", b"secret")]
AS_JSON = '{"source":"447700900123","msg":"Grüße 😀","auth":"secret"}'.encode()


@pytest.mark.parametrize(
    ("body", "pairs"),
    [
        pytest.param(b'{"sms":' + AS_JSON + b"}", WHOLE, id="wrapped"),
        pytest.param(b'{"sms":[' + AS_JSON + b"]}", WHOLE, id="wrapped in a list"),
        pytest.param(b'{"a":{"b":{"sms": ' + AS_JSON + b" }}}", WHOLE, id="wrapped deeply"),
        pytest.param(b'{"a":' * 4 + AS_JSON + b"}" * 4, WHOLE, id="wrapped as deeply as is looked"),
        pytest.param(b'{"a":' * 5 + AS_JSON + b"}" * 5,
            [(b"a", b'{"a":' * 4 + AS_JSON + b"}" * 4)], id="wrapped more deeply"),
        pytest.param(json.dumps(AS_JSON.decode()).encode(), WHOLE, id="encoded twice"),
        pytest.param(b'"{a}"', [(b"body", b'"{a}"')], id="a string"),
        pytest.param(b"[" + AS_JSON + b"]", WHOLE, id="a list of one"),
        pytest.param(b'{"auth":"secret","v":2,"sms":{"source":"7","msg":["Hi"]}}',
            [(b"auth", b"secret"), (b"v", b"2"), (b"source", b"7"), (b"msg", b"Hi")],
            id="wrapped, auth outside"),
        pytest.param(b'{"source":["7"],"msg":[ "a\\u00e9" ],"auth":["secret"],"x":["y"]}',
            [(b"source", b"7"), (b"msg", "aé".encode()), (b"auth", b"secret"),
             (b"x", b'["y"]')], id="lists of one element"),
        pytest.param(b'{"msg":["a","b"]}', [(b"msg", b'["a","b"]')], id="a longer list stays"),
        pytest.param(b'{"msg":"Hi","sms":{"msg":"Ho"}}',
            [(b"msg", b"Hi"), (b"sms", b'{"msg":"Ho"}')], id="not wrapped"),
        pytest.param(b"[" + AS_JSON + b"," + AS_JSON + b"]",
            [(b"auth", b"secret"), (b"auth", b"secret"),
             (b"body", (b"[" + AS_JSON + b"," + AS_JSON + b"]").replace(b'"auth":"secret"', b""))],
            id="two at once"),
    ],
)  # fmt: skip
def test_json_is_looked_into_where_the_parameters_lie_deeper(
    body: bytes, pairs: list[Parameter]
) -> None:
    problems: set[str] = set()
    assert split_body(body, JSON, problems) == (pairs, None)
    assert problems == set()


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"", b",", b"\n\x1e"])
def test_another_object_behind_the_first_is_kept_and_flagged(between: bytes) -> None:
    other = AS_JSON.replace(b"447700900123", b"447700900124")
    problems: set[str] = set()
    pairs, _ = split_body(AS_JSON + between + other, JSON, problems)
    assert pairs[:3] == WHOLE
    assert pairs[3] == (b"auth", b"secret")
    [(name, rest)] = pairs[4:]
    assert (name, b"447700900124" in rest, b"secret" in rest) == (b"body", True, False)
    assert problems == {"repeated"}


@pytest.mark.parametrize("missing", range(1, 12))
def test_json_whose_length_was_counted_in_characters_is_read_as_far_as_it_goes(
    missing: int,
) -> None:
    body = '{"auth":"secret","source":"447700900123","msg":"Grüße 😀"}'.encode()
    problems: set[str] = set()
    pairs, _ = split_body(body[:-missing], JSON, problems)
    *others, (name, text) = pairs
    assert others == [(b"auth", b"secret"), (b"source", b"447700900123")]
    assert name == b"msg"
    whole = "Grüße 😀".encode()
    kept = whole[: len(whole) - max(0, missing - 2)].decode("utf-8", "ignore")
    assert text.decode() in (kept, kept + "\ufffd")
    assert problems == {"charset"}


@pytest.mark.parametrize(
    ("tail", "text"),
    [(b"\\", b"Hi "), (b"\\u20", b"Hi "), (b"\\\\u20", b"Hi \\u20"), (b"\\u20ac", "Hi €".encode()),
     (b"\xc3", b"Hi \xef\xbf\xbd")],
)  # fmt: skip
def test_half_an_escape_or_a_character_is_left_out(tail: bytes, text: bytes) -> None:
    assert split_body(b'{"msg":"Hi ' + tail, JSON, set()) == ([(b"msg", text)], None)


@pytest.mark.parametrize(
    ("content_type", "body", "pairs", "problems"),
    [
        pytest.param(b"text/xml", b"<?xml version='1.0'?><sms a='b'><source>447700900123</source>"
            b"<ns:msg x='y'>a &amp; b &#233; &lt;3</ns:msg><auth>secret</auth></sms>",
            [(b"source", b"447700900123"), (b"msg", "a & b é <3".encode()), (b"auth", b"secret")],
            set(), id="elements"),
        pytest.param(b"", b" <a><MSG><![CDATA[1 < 2 & so on]]></MSG></a>",
            [(b"MSG", b"1 < 2 & so on")], set(), id="a section"),
        pytest.param(b"", b"<msg>&#55357;&#56832; &#xD83D;&#xde00; &#128512; &#xd83d; &#0;</msg>",
            [(b"msg", "\ud83d\ude00 \ud83d\ude00 😀 \ud83d \0".encode(errors="surrogatepass"))],
            set(), id="surrogates and NUL, which decoding joins and flags"),
        pytest.param(b"", b"<msg>page&#12;&#11;&#27;&#x1;</msg>", [(b"msg", b"page\f\v\x1b\1")],
            set(), id="controls"),
        pytest.param(b"", b"<?xml version='1.0' encoding='ISO-8859-1'?><msg>caf\xe9</msg>",
            [(b"msg", "café".encode())], set(), id="its own charset"),
        pytest.param(b"text/xml; charset=iso-8859-1", "<msg>café</msg>".encode(),
            [(b"msg", "café".encode())], {"charset"}, id="UTF-8 that calls itself otherwise"),
    ],
)  # fmt: skip
def test_the_known_elements_of_xml_are_read_and_the_whole_is_kept(
    content_type: bytes, body: bytes, pairs: list[Parameter], problems: set[str]
) -> None:
    found: set[str] = set()
    *read, whole = split_body(body, content_type, found)[0]
    assert read == pairs
    assert whole[0] == b"body"
    assert found == problems


@pytest.mark.parametrize(
    ("content_type", "body", "pairs", "problems"),
    [
        pytest.param(FORM, b"source=1;msg=a;b;auth=x", [(b"source", b"1"), (b"msg", b"a;b"),
            (b"auth", b"x")], set(), id="semicolons"),
        pytest.param(FORM, b"msg=a;id=5", [(b"msg", b"a;id=5")], set(), id="one is no sign"),
        pytest.param(FORM, b"msg=a;id=5;dest=2&x=1", [(b"msg", b"a;id=5;dest=2"), (b"x", b"1")],
            set(), id="semicolons beside &"),
        pytest.param(b"text/plain", b"source=1\r\nmsg=50% + a\r\nb=c\r\nauth=x\r\n",
            [(b"source", b"1"), (b"msg", b"50% + a\r\nb=c"), (b"auth", b"x")], set(), id="lines"),
        pytest.param(b"text/plain", b"source=1\nx&msg=2\nid=3", [(b"source", b"1\nx"),
            (b"msg", b"2\nid=3")], set(), id="lines in a form are text"),
        pytest.param(FORM, b"msg=%u20AC5+%uD83D%ude00&x=%u20A", [(b"msg", "€5 😀".encode()),
            (b"x", b"%u20A")], {"charset"}, id="wide escapes"),
        pytest.param(FORM, b"msg=caf%E9%u20AC%C3%A9", [(b"msg", "café€é".encode())], {"charset"},
            id="wide escapes beside Latin-1"),
        pytest.param(FORM, b"msg=%25u20AC", [(b"msg", b"%u20AC")], set(), id="an escaped one"),
        pytest.param(FORM, b"\0msg=Hi\0", [(b"msg", b"Hi")], set(), id="the end of a C string"),
    ],
)  # fmt: skip
def test_a_form_is_read_however_it_is_written(
    content_type: bytes, body: bytes, pairs: list[Parameter], problems: set[str]
) -> None:
    found: set[str] = set()
    assert split_body(body, content_type, found) == (pairs, None)
    assert found == problems


def test_of_very_many_parameters_the_known_ones_are_taken_out() -> None:
    crowd = b"a=%26&" * 5_000
    form = b"id=1&" + crowd + b"id=2&" + crowd + b"Auth=secret&MSG[]=Hi+%26&auth=other&x=%41"
    pairs, _ = split_body(form, FORM, set())
    assert pairs[:2] == [(b"id", b"1"), (b"a", b"&")]
    assert pairs[MAX_PAIRS:-1] == [(b"id", b"2"), (b"Auth", b"secret"), (b"MSG[]", b"Hi &")]
    name, rest = pairs[-1]
    assert name == b"body"
    assert rest.endswith(b"a=%26&x=%41")
    assert b"secret" not in rest
    assert b"other" not in rest


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        (FORM, "source=447700900123&msg=Grüße+😀&auth=secret"),
        (JSON, AS_JSON.decode()),
        (b"text/plain", "source=447700900123\nmsg=Grüße 😀\nauth=secret"),
    ],
)
def test_a_body_in_utf_16_or_utf_32_is_read_like_any_other(
    encoding: str, content_type: bytes, text: str
) -> None:
    for declared, expected in ((b"; charset=" + encoding.encode(), set()), (b"", {"charset"})):
        problems: set[str] = set()
        assert split_body(text.encode(encoding), content_type + declared, problems) == (WHOLE, None)
        assert problems == expected
