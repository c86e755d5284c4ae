"""Pages that strangers ask for with odd values: whatever these are, none answers 500."""

import base64

import pytest

from tests.support.raw_requests import ask_raw
from tests.web.visiting import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORM = (b"content-type", b"application/x-www-form-urlencoded")
ODD = [
    b"",
    b"[",
    b"a]b",
    b"[::1",
    b"http://[",
    b"http://x:99999999999",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"%ED%A0%80",
    b"\\" * 30_000,
    b"[" * 30_000,
    b'"' * 60_000,
    b"9" * 5_000,
    b";" * 60_000,
]
HEADERS = [
    b"accept",
    b"accept-language",
    b"authorization",
    b"content-type",
    b"cookie",
    b"forwarded",
    b"host",
    b"if-none-match",
    b"origin",
    b"range",
    b"referer",
    b"sec-fetch-site",
    b"user-agent",
    b"x-forwarded-for",
    b"x-letterbox-part",
]
FLASHES = [
    b"[" * 30_000,
    b'["done", "\\ud800"]',
    b"\xff",
    b"done \xed\xa0\x80",
    b"done",
    b"1" * 5_000,
    b"evil <b>",
]
CHARSETS = [
    "unicode_escape",
    "raw_unicode_escape",
    "utf-7",
    "idna",
    "hex",
    "undefined",
    "punycode",
    "utf-16",
    "nowhere",
    "\xff",
]


@pytest.mark.parametrize("header", HEADERS)
async def test_no_header_breaks_a_page(shared_lone_visitor: Visitor, header: bytes) -> None:
    for value in ODD:
        for method, path in [("GET", "/sign-in"), ("GET", "/no"), ("GET", "/"), ("POST", "/new")]:
            named = [] if header == b"content-type" else [FORM]
            answer = await ask_raw(
                shared_lone_visitor.running.app,
                method,
                path,
                [*named, (header, value)],
                body=b"name=Ada&password=x",
            )
            assert answer.status < 500, (method, path, value[:20])


@pytest.mark.parametrize("flash", FLASHES)
async def test_no_message_for_the_next_page_breaks_one(
    shared_lone_visitor: Visitor, flash: bytes
) -> None:
    app = shared_lone_visitor.running.app
    for value in (base64.urlsafe_b64encode(flash), flash):
        for path, status in [("/sign-in", 200), ("/nowhere", 404)]:
            cookie = (b"cookie", b"letterbox_flash=" + value)
            answer = await ask_raw(app, "GET", path, [cookie])
            assert answer.status == status
            assert b"evil" not in answer.body


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/link"])
async def test_no_charset_of_a_form_breaks_a_page(
    shared_lone_visitor: Visitor, path: str, charset: str
) -> None:
    origin = (b"origin", b"https://texts.example.com")
    kind = f"multipart/form-data; boundary=x; charset={charset}".encode("latin-1")
    for text in (b"\\ud800", b"+2AA-", b"\xff\xfe\x00\xd8", b"xn--\xff", b"a" * 100):
        for name in (b"name", b"link", text):
            body = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n--x--\r\n' % (
                name,
                text,
            )
            answer = await ask_raw(
                shared_lone_visitor.running.app,
                "POST",
                path,
                [origin, (b"content-type", kind)],
                body=body,
            )
            assert answer.status in {400, 403, 422}, (text, name)


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/link"])
async def test_strangers_send_small_forms(shared_lone_visitor: Visitor, path: str) -> None:
    origin = (b"origin", b"https://texts.example.com")
    for size, statuses in [(16_000, {403, 422}), (17_000, {413})]:
        answer = await ask_raw(
            shared_lone_visitor.running.app, "POST", path, [origin, FORM], body=b"%" * size
        )
        assert answer.status in statuses
