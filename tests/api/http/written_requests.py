"""One table of requests as clients really write them, and what each of them means."""

import gzip
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.support.service import AUTH, NUMBER, SENDER

HOST = b"Host: letterbox.test\r\n"
CLOSE = b"Connection: close\r\n"
TEXT = "Grüße, 5 € = ok?"
PLAIN = f"source={SENDER}&dest={NUMBER}&id=000&msg="
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
JSON = b"Content-Type: application/json\r\n"
EMPTY = f"auth={AUTH}&source={SENDER}&dest={NUMBER}&id=000".encode()


def make_query(text: str = "Hello") -> bytes:
    return f"{PLAIN}{quote(text)}&auth={AUTH}".encode()


def get(target: bytes, *headers: bytes, version: bytes = b"HTTP/1.1", ends: bytes = CLOSE) -> bytes:
    return b"GET %s %s\r\n%s%s%s\r\n" % (target, version, HOST, b"".join(headers), ends)


def post(
    body: bytes,
    *headers: bytes,
    path: bytes = b"/inbound",
    version: bytes = b"HTTP/1.1",
    ends: bytes = CLOSE,
    length: int | None = None,
) -> bytes:
    told = len(body) if length is None else length
    head = b"POST %s %s\r\n%sContent-Length: %d\r\n" % (path, version, HOST, told)
    return head + b"".join(headers) + ends + b"\r\n" + body


def chunk(*parts: bytes, trailers: bytes = b"") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + (
        b"0\r\n" + trailers + b"\r\n"
    )


def post_chunks(chunks: bytes, *headers: bytes) -> bytes:
    head = b"POST /inbound HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n"
    return head + b"".join(headers) + CLOSE + b"\r\n" + chunks


@dataclass(frozen=True)
class Case:
    """What is sent in these packets, the answers' statuses, and the texts that are stored."""

    packets: tuple[bytes, ...]
    statuses: tuple[int, ...] = (200,)
    texts: tuple[str, ...] = ("Hello",)
    refused: tuple[str, ...] = ()
    half_close: bool = False
    problems: tuple[str, ...] = ()
    bytewise: bool = False


def case(*packets: bytes, **expected: Any) -> Case:
    return Case(packets, **expected)


QUERY = make_query()
MULTIPART = b"Content-Type: multipart/form-data; boundary=x\r\n"
PARTS = b'--x\r\nContent-Disposition: form-data; name="msg"\r\n\r\nHello\r\n--x--\r\n'
FORM_CUT = EMPTY + "&receivedts=2026-06-01 12:00:00&msg=café".encode()
JSON_CUT = (
    f'{{"auth":"{AUTH}","source":"{SENDER}","dest":"{NUMBER}","id":"000",'
    '"receivedts":"2026-06-01 12:00:00","msg":"café"}'
).encode()
NOTHING: dict[str, Any] = {"texts": ()}
BAD = {"statuses": (400,), "texts": (), "refused": ("unreadable",)}
ASTRAY = {"statuses": (404,), "texts": (), "refused": ("wrong-path",)}
WRONG_METHOD = {"statuses": (405,), "texts": (), "refused": ("wrong-method",)}
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n"
PATHS = [
    b"/inbound",
    b"/inbound/",
    b"//inbound",
    b"//inbound//",
    b"/Inbound",
    b"/INBOUND/",
    b"/%69nbound",
    b"/inbound%20",
    b"http://letterbox.test/inbound",
    b"HTTP://letterbox.test:8000//Inbound/",
    b"https://user@letterbox.test/inbound",
]
CASES = {
    **{
        f"get {path!r}": case(get(path + b"?" + QUERY), **ASTRAY)
        for path in (b"/", b"/inbound2", b"/inbox", b"/api/inbound", b"/api/v1/messages", b"/a/b/")
    },
    **{
        f"post {path!r}": case(post(QUERY, FORM, path=path), **ASTRAY)
        for path in (
            b"/",
            b"/inbound.php",
            b"/api/v1/inbound",
            # As copied from the browser, or refused before the body is read.
            b"/numbers",
            b"/sign-in",
            b"/new",
            b"/api/v1/outbound",
        )
    },
    **{
        f"get {path!r} and the query": case(get(path + QUERY), **ASTRAY)
        for path in (b"/&", b"/", b"/sms%3F", b"/sms;", b"/sms:", b"/inbound2:", b"/sms%26")
    },
    **{
        f"get {path!r} and the query, without a question mark": case(get(path + QUERY))
        for path in (
            *(b"/inbound&", b"/inbound/&", b"/Inbound;", b"/inbound/", b"/inbound#", b"/inbound:"),
            *(b"/inbound,", b"/inbound|", b"/inbound%3F", b"/inbound%3f", b"/inbound%20%26"),
        )
    },
    "get /inbound and the query, without anything between": case(get(b"/inbound" + QUERY)),
    "get /inbound& with a ? in the text": case(
        get(b"/inbound&" + f"{PLAIN}why?&auth={AUTH}".encode()), texts=("why?",)
    ),
    "get elsewhere, without auth": case(get(b"/?" + QUERY.replace(b"auth=", b"key=")), **ASTRAY),
    "form elsewhere, without auth": case(
        post(QUERY.replace(b"auth=", b"key="), FORM, path=b"/sms"), **ASTRAY
    ),
    "raw spaces elsewhere": case(
        get(b"/sms?" + f"{PLAIN}Hello you  there&auth={AUTH}".encode()), **ASTRAY
    ),
    "raw spaces in a request that is no forward": case(
        get(b"/sms?msg=Hello you"), statuses=(400,), texts=()
    ),
    "lists elsewhere": case(get(b"/sms?auth[]=x&source[0]=1&msg=x"), **ASTRAY),
    "JSON encoded twice elsewhere": case(
        post(json.dumps(json.dumps({"auth": AUTH, "msg": "x"})).encode(), JSON, path=b"/sms"),
        **ASTRAY,
    ),
    "compressed elsewhere": case(
        post(gzip.compress(QUERY), FORM, b"Content-Encoding: gzip\r\n", path=b"/sms"), **ASTRAY
    ),
    "compressed elsewhere, undeclared": case(
        post(gzip.compress(QUERY), FORM, path=b"/sms"), **ASTRAY
    ),
    "rubbish elsewhere that says it is compressed": case(
        post(b"rubbish", b"Content-Encoding: gzip\r\n", path=b"/sms"), statuses=(404,), texts=()
    ),
    "a large body elsewhere, compressed": case(
        post(gzip.compress(bytes(200_000)), path=b"/sms"), statuses=(404,), texts=()
    ),
    "UTF-16 elsewhere": case(post(QUERY.decode().encode("utf-16"), FORM, path=b"/sms"), **ASTRAY),
    "100-continue elsewhere": case(
        post(b"", FORM, b"Expect: 100-continue\r\n", path=b"/sms", length=len(QUERY)),
        QUERY,
        **{**ASTRAY, "statuses": (100, 404)},
    ),
    "chunks elsewhere": case(
        post_chunks(chunk(QUERY[:9], QUERY[9:]), FORM).replace(b"/inbound", b"/sms"), **ASTRAY
    ),
    "half-closed elsewhere": case(
        post(QUERY, FORM, path=b"/sms", ends=b""), half_close=True, **ASTRAY
    ),
    "pipelined elsewhere": case(
        post(QUERY, FORM, path=b"/sms", ends=b"") + post(QUERY, FORM),
        statuses=(404, 200),
        refused=("wrong-path",),
    ),
    "another method elsewhere": case(
        post(QUERY, FORM, path=b"/sms").replace(b"POST", b"PUT"), **ASTRAY
    ),
    "another method with a query": case(
        get(b"/inbound?" + QUERY).replace(b"GET", b"get"), **WRONG_METHOD
    ),
    "another method with a form": case(
        post(QUERY, FORM).replace(b"POST", b"PATCH"), **WRONG_METHOD
    ),
    "words in another request": case(
        post(
            b'{"source":"x", "body":"Your auth code, msg: a, auth: b"}',
            JSON,
            path=b"/api/v1/outbound",
        ),
        statuses=(401,),
        texts=(),
    ),
    "post elsewhere, the body later": case(
        post(b"", FORM, path=b"/sms", length=len(QUERY)), QUERY, **ASTRAY
    ),
    "JSON elsewhere": case(
        post(f'{{"auth":"{AUTH}","source":"{SENDER}","msg":"x"}}'.encode(), JSON, path=b"/sms"),
        **ASTRAY,
    ),
    "multipart elsewhere": case(
        post(PARTS, MULTIPART, path=b"/sms?auth=" + AUTH.encode()), **ASTRAY
    ),
    "no forward elsewhere": case(
        post(b"log=auth&pwd=msg", FORM, path=b"/wp-login.php"), statuses=(404,), texts=()
    ),
    "get": case(get(b"/inbound?" + QUERY)),
    "form": case(post(QUERY, FORM)),
    "form and query": case(
        post(b"msg=Hello", FORM, path=b"/inbound?" + EMPTY),
    ),
    "json": case(
        post(
            f'{{"auth":"{AUTH}","source":"{SENDER}","dest":"{NUMBER}","msg":"Hello"}}'.encode(),
            JSON,
        )
    ),
    "raw UTF-8 in a query": case(
        get(b"/inbound?" + f"{PLAIN}{TEXT}&auth={AUTH}".replace(" ", "+").encode()), texts=(TEXT,)
    ),
    "raw spaces in a query": case(
        get(b"/inbound?" + f"{PLAIN}Hello you  there&auth={AUTH}".encode()),
        texts=("Hello you  there",),
    ),
    "a space behind the version": case(
        get(b"/inbound?" + QUERY).replace(b"HTTP/1.1\r", b"HTTP/1.1 \r")
    ),
    "raw tab and other bytes in a query": case(
        get(b"/inbound?" + f'{PLAIN}a\tb"<>\\^`{{|}}&auth={AUTH}'.encode()),
        texts=('a\tb"<>\\^`{|}',),
    ),
    "a raw # in a query": case(
        get(b"/inbound?" + f"{PLAIN}Hello #1&auth={AUTH}".encode()), texts=("Hello #1",)
    ),
    "a ? in a query": case(
        get(b"/inbound?" + f"{PLAIN}why? so&auth={AUTH}".encode()), texts=("why? so",)
    ),
    "get with a form": case(get(b"/inbound", FORM, b"Content-Length: %d\r\n" % len(QUERY)) + QUERY),
    "get with a body beside its query": case(
        get(b"/inbound?" + QUERY, b"Content-Length: 2\r\n") + b"{}"
    ),
    "the body in a second packet": case(post(b"", FORM, length=len(QUERY)), QUERY),
    "byte by byte": case(post(QUERY, FORM), bytewise=True),
    "lines that end with LF": case(post(QUERY, FORM).replace(b"\r\n", b"\n")),
    "lines that end with LF, a body with CRLF": case(
        post(b"", MULTIPART, path=b"/inbound?" + EMPTY, length=len(PARTS)).replace(b"\r\n", b"\n")
        + PARTS
    ),
    "empty lines before": case(b"\r\n\n\r\n" + post(QUERY, FORM)),
    "header names in any case, no space": case(
        post(QUERY, b"CONTENT-TYPE:application/x-www-form-urlencoded\r\n")
    ),
    "length given twice alike": case(post(QUERY, FORM, b"Content-Length: %d\r\n" % len(QUERY))),
    "a type that goes on in the next line": case(
        post(PARTS, MULTIPART.replace(b"; ", b";\r\n\t"), path=b"/inbound?" + EMPTY)
    ),
    "chunks": case(post_chunks(chunk(QUERY[:9], QUERY[9:]), FORM)),
    "chunks with extensions": case(
        post_chunks(b"%X;a=b;c\r\n%s\r\n00;last\r\n\r\n" % (len(QUERY), QUERY), FORM)
    ),
    "chunks in packets": case(post_chunks(chunk(QUERY), FORM), bytewise=True),
    "upgrade to h2c": case(
        post(QUERY, FORM, H2C, ends=b"") + post(QUERY, FORM), statuses=(200, 200)
    ),
    "upgrade to h2c, the body later": case(
        post(b"", FORM, H2C, ends=b"", length=len(QUERY)), QUERY, half_close=True
    ),
    "upgrade to h2c, auth in the query": case(
        post(b"msg=Hello", FORM, H2C, path=b"/inbound?" + EMPTY, ends=b""), half_close=True
    ),
    "upgrade to websocket": case(
        post(b"", FORM, WEBSOCKET, ends=b"", length=len(QUERY)), QUERY, half_close=True
    ),
    "upgrade by get": case(get(b"/inbound?" + QUERY, H2C, ends=b""), half_close=True),
    "100-continue": case(
        post(b"", FORM, b"Expect: 100-continue\r\n", length=len(QUERY)), QUERY, statuses=(100, 200)
    ),
    "100-continue with the body": case(post(QUERY, FORM, b"Expect: 100-continue\r\n")),
    "HTTP/1.0": case(post(QUERY, FORM, version=b"HTTP/1.0", ends=b"")),
    "HTTP/1.0 that keeps alive and expects": case(
        post(
            QUERY,
            FORM,
            b"Expect: 100-continue\r\n",
            version=b"HTTP/1.0",
            ends=b"Connection: keep-alive\r\n",
        )
    ),
    "half-closed": case(post(QUERY, FORM, ends=b""), half_close=True),
    "pipelined": case(
        post(make_query("1"), FORM, ends=b"")
        + get(b"/livez", ends=b"")
        + get(b"/inbound?" + make_query("2"), ends=b"")
        + get(b"/inbound?msg=wrong"),
        statuses=(200, 200, 200, 403),
        texts=("1", "2"),
        refused=("missing-auth",),
    ),
    **{
        f"{rest!r} behind a get": case(
            get(b"/inbound?" + QUERY, ends=b"") + rest,
            refused=("unreadable",),
        )
        for rest in (
            *(b"{}", b'{"msg":"Hello"}\r\n\r\n', b"\0", b" ", b"msg=x", b"\x16\x03\x01"),
            *(b"PUT x", b"GET x HTTP/1.1\r\n\r\n"),
        )
    },
    "a form's length counted in characters": case(
        post(FORM_CUT, FORM, ends=b"", length=len(FORM_CUT) - 1),
        texts=("cafÃ",),
        problems=("charset",),
        refused=("unreadable",),
    ),
    "JSON's length counted in characters": case(
        post(JSON_CUT, JSON, ends=b"", length=len(JSON_CUT) - 3),
        texts=("caf\ufffd",),
        problems=("charset",),
        refused=("unreadable",),
    ),
    "forwards before rubbish": case(
        get(b"/inbound?" + make_query("1"), ends=b"")
        + post(make_query("2"), FORM, ends=b"")
        + b"rubbish\r\n\r\n"
        + get(b"/inbound?" + make_query("3")),
        statuses=(200, 200),
        texts=("1", "2"),
        refused=("unreadable",),
    ),
    "wrong auth": case(
        get(b"/inbound?msg=x&auth=wrong"), statuses=(403,), refused=("wrong-auth",), **NOTHING
    ),
    "another method": case(
        b"PUT /inbound HTTP/1.1\r\nContent-Length: 5\r\n\r\nHello", **WRONG_METHOD
    ),
    "head": case(b"HEAD /inbound HTTP/1.1\r\n\r\n", statuses=(405,), **NOTHING),
    "options": case(b"OPTIONS /inbound HTTP/1.1\r\n\r\n", statuses=(405,), **NOTHING),
    "a query of 65 KB": case(get(b"/inbound?" + b"x" * 66_000), statuses=(413,), **NOTHING),
    "a query of 200 KB": case(get(b"/inbound?" + b"x" * 200_000), statuses=(413,), **NOTHING),
    "a body that says it is large": case(
        post(b"", FORM, length=65_537), statuses=(413,), **NOTHING
    ),
    "chunks that are large": case(
        post_chunks(chunk(b"x" * 40_000, b"x" * 40_000)), statuses=(413,), **NOTHING
    ),
    "100-continue of a large body": case(
        post(b"", b"Expect: 100-continue\r\n", length=65_537), statuses=(413,), **NOTHING
    ),
    "a body that is shorter than its length": case(
        post(QUERY, FORM, path=b"/inbound?" + EMPTY, length=len(QUERY) + 1),
        half_close=True,
        statuses=(400,),
        refused=("incomplete",),
        **NOTHING,
    ),
    "chunks without an end": case(
        post_chunks(chunk(QUERY)[:-5], FORM),
        half_close=True,
        statuses=(400,),
        refused=("incomplete",),
        **NOTHING,
    ),
    "a head without an end": case(
        get(b"/inbound?" + QUERY, ends=b"")[:-2],
        half_close=True,
        statuses=(400,),
        refused=("incomplete",),
        **NOTHING,
    ),
    "no request": case(b"hello\r\n\r\n", **BAD),
    "TLS": case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n" + b"x" * 99, **BAD),
    "no version": case(b"GET /inbound?" + QUERY + b"\r\n\r\n", **BAD),
    "HTTP/2 at once": case(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        **{**BAD, "statuses": (505,), "refused": ()},
    ),
    "headers of 100 KB": case(
        get(b"/inbound?" + QUERY, b"Cookie: %s\r\n" % (b"x" * 100_000)),
        **{**BAD, "statuses": (431,)},
    ),
    "201 headers": case(
        get(b"/inbound?" + QUERY, b"X: y\r\n" * 201), **{**BAD, "statuses": (431,)}
    ),
    "a header without a colon": case(post(QUERY, FORM, b"Oops\r\n"), **BAD),
    "a space before a colon": case(post(QUERY, FORM, b"Oops : x\r\n"), **BAD),
    "a header with NUL": case(post(QUERY, FORM, b"Oops: \0\r\n"), **BAD),
    "a header with CR": case(post(QUERY, FORM, b"Oops: \rX: y\r\n"), **BAD),
    "CRLF and LF mixed": case(post(QUERY, FORM, b"Oops: x\nX: y\r\n"), **BAD),
    "LF in the head and CRLF at its end": case(
        post(QUERY, FORM).replace(b"\r\n", b"\n").replace(b"\n\n", b"\n\r\n"), **BAD
    ),
    "a folded header": case(post(QUERY, FORM, b"Oops: x\r\n y\r\n"), **BAD),
    "two lengths": case(post(QUERY, FORM, b"Content-Length: 1\r\n"), **BAD),
    "a length that is no number": case(
        post(QUERY, FORM).replace(b"Content-Length: ", b"Content-Length: +"), **BAD
    ),
    "length and chunks": case(post(QUERY, FORM, b"Transfer-Encoding: chunked\r\n"), **BAD),
    "another coding": case(
        post_chunks(chunk(QUERY)).replace(b"chunked", b"gzip, chunked"),
        **{**BAD, "statuses": (501,)},
    ),
    "chunks of HTTP/1.0": case(post_chunks(chunk(QUERY)).replace(b"/1.1", b"/1.0"), **BAD),
    "a size that is no number": case(
        post_chunks(b"-1\r\nx\r\n0\r\n\r\n"), **{**BAD, "refused": ("incomplete",)}
    ),
    "chunks with LF behind a head with CRLF": case(
        post_chunks(chunk(QUERY).replace(b"\r\n", b"\n"), FORM),
        **{**BAD, "refused": ("incomplete",)},
    ),
    "a path without a slash": case(post(QUERY, FORM, path=b"inbound"), **BAD),
    "a tunnel": case(b"CONNECT letterbox.test:443 HTTP/1.1\r\n\r\n", **BAD),
    "a chunk longer than its size": case(
        post_chunks(b"1\r\nxyz\r\n0\r\n\r\n"), **{**BAD, "refused": ("incomplete",)}
    ),
} | {path.decode(): case(post(QUERY, FORM, path=path)) for path in PATHS}
