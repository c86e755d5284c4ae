"""The auth value of a forward: found wherever it stands, and kept nowhere."""

import html
import json
import quopri
from urllib.parse import quote, quote_plus

import pytest

from app.provider.forwards.forwarding import read_request
from tests.provider.forwards.receiving import (
    FORM,
    JSON,
    MULTIPART,
    WHOLE,
    parse_here,
)


@pytest.mark.parametrize(
    ("query", "secrets"),
    [
        pytest.param(b"auth=secret", [b"secret"], id="plain"),
        pytest.param(b"auth=cl%E9", [b"cl\xe9", "clé".encode(), "cle\u0301".encode()],
            id="Latin-1"),
        pytest.param(b"auth=cl\xe9&msg=\xe9", [b"cl\xe9", "clé".encode(), "cle\u0301".encode()],
            id="Latin-1 as it is"),
        pytest.param("auth=cle\u0301".encode(), ["cle\u0301".encode(), "clé".encode()],
            id="the accent by itself"),
        pytest.param(b"auth=secret%0D%0A", [b"secret\r\n", b"secret"], id="a line break"),
        pytest.param(b"auth=+secret+", [b" secret ", b"secret"], id="spaces"),
        pytest.param(b"auth=a+b", [b"a b", b"a+b"], id="a plus that nobody escaped"),
        pytest.param(b"auth=&AUTH=two&auth=three&auth[]=four&auth=five",
            [b"two", b"three", b"four"], id="several"),
        pytest.param(b"auth=%22secret%22.", [b'"secret".', b"secret"], id="quotation marks"),
        pytest.param("auth=\u201csecret\u201d".encode(),
            ["\u201csecret\u201d".encode(), b"secret"], id="curly quotation marks"),
        pytest.param(b"auth=secret/?source=1", [b"secret/", b"secret"], id="the end of a URL"),
        pytest.param(b"auth=%E2%80%8Bsecret", [b"\xe2\x80\x8bsecret", b"secret"],
            id="what nobody sees"),
        pytest.param(b"msg=Hi", [], id="none"),
        pytest.param(b"auth=&auth=+", [b" "], id="nothing in it"),
    ],
)  # fmt: skip
def test_every_way_to_read_the_auth_value_is_tried(query: bytes, secrets: list[bytes]) -> None:
    found = [*read_request("GET", query, b"", b"").read_secrets()]
    assert found[0:1] == secrets[0:1]
    assert set(found) == set(secrets)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param(JSON, b'{"sms":{"text":"Hi","auth":"secret"}}', id="nested, with other names"),
        pytest.param(JSON, b"{'source': '447700900123', 'auth': 'secret'}", id="Python"),
        pytest.param(JSON, b'[{"a":1},{"Auth": "secret"}]', id="a list"),
        pytest.param(JSON, b"{auth:'secret'}", id="JavaScript"),
        pytest.param(b"", b"Array\n(\n    [auth] => secret\n    [msg] => Hi\n)\n", id="PHP"),
        pytest.param(b"", b"$VAR1 = { 'auth' => 'secret' };", id="Perl"),
        pytest.param(b"", b"source: 447700900123\nauth: secret\nmsg: Hi\n", id="YAML"),
        pytest.param(b"text/xml", b'<sms source="447700900123" auth="secret"/>', id="attributes"),
        pytest.param(b"text/xml", b"<sms><a><auth>secret</auth></a></sms>", id="an element"),
        pytest.param(FORM, b"sms[text]=Hi&sms[auth]=secret", id="a nested form"),
        pytest.param(FORM, b"sms.text=Hi&sms.auth=secret", id="a nested form with dots"),
    ],
)
def test_the_auth_value_is_found_wherever_it_stands_and_then_cut_out(
    content_type: bytes, body: bytes
) -> None:
    request = read_request("POST", b"", content_type, body)
    assert b"secret" in [*request.read_secrets()]
    assert b"secret" not in request.forget(b"secret").raw.to_bytes()


SECRET = 'an-auth+value/of the "tests" & é'
URL_ESCAPED = quote(SECRET, safe="")


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        URL_ESCAPED,
        URL_ESCAPED.lower(),
        quote(SECRET, safe="/ +", encoding="latin-1"),
        quote(URL_ESCAPED),
        quote(quote(URL_ESCAPED)),
        "".join(f"%{ord(each):02x}" for each in SECRET),
        "".join(f"%u{ord(each):04x}" for each in SECRET),
        json.dumps(SECRET),
        json.dumps(json.dumps(SECRET)),
        json.dumps({"a": json.dumps({"b": json.dumps(SECRET)})}),
        "".join(f"\\u{ord(each):04X}" for each in SECRET),
        SECRET.replace("/", "\\/").replace('"', '\\"'),
        html.escape(SECRET),
        html.escape(html.escape(SECRET)),
        "".join(f"&#{ord(each)};" for each in SECRET),
        "".join(f"&#x{ord(each):X};" for each in SECRET),
        quopri.encodestring(SECRET.encode(), quotetabs=True).decode(),
    ],
)
def test_the_admitted_secret_is_cut_out_however_it_is_escaped(written: str) -> None:
    for content_type, body in (
        (FORM, f"{quote(written)}=1&x={quote(written)}&y={quote_plus(written)}"),
        (b"text/plain", f"Hello {written} there"),
        (JSON, json.dumps({"x": {"auth": written}, "y": [written], written: 1})),
        (JSON, '{"damaged": "' + written),
        (b"text/xml", f"<a auth='{written}'><authtoken>{written}</authtoken></a>"),
        (MULTIPART, f"--cut\r\nContent-Disposition: form-data; name=x\r\n\r\n{written}"),
        (b"text/plain; note=" + written.encode(), "Hello"),
        (b"text/plain; charset=" + written.encode(), "Hello"),
    ):
        request = read_request("POST", b"", content_type, body.encode())
        raw = request.forget(SECRET.encode()).raw
        kept = raw.to_bytes() + b"".join(name + value for name, value in raw.pairs)
        # Pieces of it that no escape changes.
        assert b"value" not in kept
        assert b"n-auth" not in kept
        message = parse_here(raw)
        assert "value" not in json.dumps([message.extra, message.body])


def test_the_rest_of_what_held_the_secret_is_kept() -> None:
    query = b"auth=one-long-secret&auth[]=one-long-secret&x=a+one-long-secret+b&msg=Hi"
    request = read_request("GET", WHOLE + b"&" + query, b"", b"").forget(b"one-long-secret")
    message = parse_here(request.raw)
    assert (message.extra, message.body, message.problems) == ({"x": "a  b"}, "Hi", ())


@pytest.mark.parametrize(
    ("secret", "body"),
    [
        ("one-long-secret", "Hi "),
        ("letterbox", "Hi letterbox"),
        ("447700900456", "Hi 447700900456"),
    ],
)
def test_a_text_loses_the_secret_only_where_that_is_no_word(secret: str, body: str) -> None:
    for method in (f"auth={secret}", f"AUTH={secret}"):
        query = WHOLE + f"&msg=Hi+{secret}&{method}".encode()
        request = read_request("GET", query, b"", b"").forget(secret.encode())
        message = parse_here(request.raw, request.fields)
        assert (message.body, message.dest) == (body, "447700900456")
        assert parse_here(request.raw) == message


@pytest.mark.parametrize("written", ["one%252Dlong-secret", "one%5Cu002dlong-secret"])
def test_an_ordinary_forward_hides_no_secret_either(written: str) -> None:
    query = WHOLE + f"&msg=a+{written}+b&auth=one-long-secret".encode()
    request = read_request("GET", query, b"", b"")
    assert request.fields is not None
    raw = request.forget(b"one-long-secret").raw
    assert parse_here(raw).body == "a  b"


def test_what_holds_no_secret_is_left_as_it_is() -> None:
    request = read_request("GET", WHOLE + b"&msg=Hi&auth=one-long-secret", b"", b"")
    assert request.forget(b"one-long-secret") is request
    request = read_request("GET", WHOLE + b"&msg=Hi&AUTH=one-long-secret", b"", b"")
    assert request.forget(b"one-long-secret") is request


@pytest.mark.parametrize(
    ("query", "auth"),
    [
        pytest.param(b"msg=Hi", None, id="none"),
        pytest.param(b"auth", b"", id="empty"),
        pytest.param(b"Auth=secret+1%2B1", b"secret 1+1", id="decoded"),
        pytest.param(b"auth=one&AUTH=two&%61uth=three", b"one", id="the first counts"),
        pytest.param(b"auth=&auth=two", b"", id="an empty first counts too"),
        pytest.param(b"%EF%BB%BFauth=secret", b"secret", id="after a byte order mark"),
    ],
)
def test_auth_is_cut_out_and_the_first_one_counts(query: bytes, auth: bytes | None) -> None:
    request = read_request("GET", query + b"&author=Ann&msg=auth", b"", b"")
    assert request.auth == auth
    names = [name for name, _ in request.raw.pairs]
    assert names == ([b"msg"] if auth is None else []) + [b"author", b"msg"]
    assert b"secret" not in request.raw.to_bytes()
