"""The requests of a load: realistic forwards, each with its own id."""

import random
from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote_plus, urlencode

# Ofcom's numbers for drama: the last ten are ours, the others text us.
SENDERS = [f"4477009{number:05d}" for number in range(990)]
OUR_NUMBERS = [f"4477009{number:05d}" for number in range(990, 1000)]
NAMES = ("Ann Archer", "Zoë Ørsted", "Mohammed Khan", "Siân Price", "J. O'Neill")
TEXTS = (
    "Yes please",
    "running late for my appointment on Monday at 10:30, can I move it to the afternoon?",
    "the parcel has not come & nobody answers the phone; call me back",
    "£20 was taken twice",
    "ok see you there 😀",
    "STOP",
    "100% sure, order ref A/117 #42 was for the café in Leeds, not for us",
    "Thanks, got it. Is the surgery open on Saturday morning?",
)

# Nobody opts out, and one text in ten begins with YES.
CALM_TEXTS = (
    *(text for text in TEXTS if text != "STOP"),
    "where do I park",
    "my new address is 4 High Street",
    "can you call me after six?",
)

ID_DIGITS = 12
_PLACE = "0" * ID_DIGITS

# Whom a request is written for: `letterbox` and all that take what the provider sends, or Kannel.
Dialect = Literal["letterbox", "kannel"]
KANNEL_USER = "bench"


def make_id(number: int) -> bytes:
    """The id of the n-th message: as long as every other, so that lengths can be counted before."""
    return b"%0*d" % (ID_DIGITS, number)


def make_requests(
    *,
    seed: int,
    count: int,
    port: int,
    auth: str,
    method: str,
    texts: Sequence[str] = TEXTS,
    dialect: Dialect = "letterbox",
) -> list[tuple[bytes, bytes]]:
    """Raw HTTP/1.1 requests without their id, each as the bytes before and those after it."""
    chance = random.Random(seed)
    path, make_query = ("/", _make_kannels) if dialect == "kannel" else ("/inbound", _make_query)
    head = f"Host: 127.0.0.1:{port}\r\nUser-Agent: forwarder/1.0\r\nAccept: */*\r\n"
    queries = (make_query(chance, auth, texts) for _ in range(count))
    return [_make_request(path, query, head, method) for query in queries]


def _make_request(path: str, query: str, head: str, method: str) -> tuple[bytes, bytes]:
    if method == "GET":
        request = f"GET {path}?{query} HTTP/1.1\r\n{head}\r\n"
    else:
        kind = "Content-Type: application/x-www-form-urlencoded\r\n"
        request = f"POST {path} HTTP/1.1\r\n{head}{kind}Content-Length: {len(query)}\r\n\r\n{query}"
    before, _, after = request.encode("ascii").partition(_PLACE.encode())
    return before, after


def _make_query(chance: random.Random, auth: str, texts: Sequence[str]) -> str:
    fields = {
        "source": chance.choice(SENDERS),
        "dest": chance.choice(OUR_NUMBERS),
        "msg": " ".join(chance.sample(texts, k=chance.randint(1, 3)))[:160],
        "id": _PLACE,
        "receivedts": f"2026-06-{chance.randint(1, 30):02d} {chance.randint(0, 23):02d}:14:07",
        "auth": auth,
    }
    if chance.random() < 0.5:
        name = chance.choice(NAMES)
        address = f"{quote_plus(name)}@example.com"
        fields |= {"MMName": name, "MMEmail": address, "MM1": "Leeds", "MM2": "gold"}
    return urlencode(fields)


def _make_kannels(chance: random.Random, auth: str, texts: Sequence[str]) -> str:
    """Kannel keeps no id of its caller's, so the text begins with it."""
    text = " ".join(chance.sample(texts, k=chance.randint(1, 3)))[: 159 - ID_DIGITS]
    fields = {
        "username": KANNEL_USER,
        "password": auth,
        "from": chance.choice(SENDERS),
        "to": chance.choice(OUR_NUMBERS),
        "charset": "UTF-8",
        "text": f"{_PLACE} {text}",
    }
    return urlencode(fields)
