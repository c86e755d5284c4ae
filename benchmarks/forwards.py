"""The requests of a load: realistic forwards, each with its own id."""

import random
from collections.abc import Sequence
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
) -> list[tuple[bytes, bytes]]:
    """Raw HTTP/1.1 requests without their id, each as the bytes before and those after it."""
    chance = random.Random(seed)
    head = f"Host: 127.0.0.1:{port}\r\nUser-Agent: forwarder/1.0\r\nAccept: */*\r\n"
    return [_make_request(_make_query(chance, auth, texts), head, method) for _ in range(count)]


def _make_request(query: str, head: str, method: str) -> tuple[bytes, bytes]:
    if method == "GET":
        request = f"GET /inbound?{query} HTTP/1.1\r\n{head}\r\n"
    else:
        kind = "Content-Type: application/x-www-form-urlencoded\r\n"
        request = (
            f"POST /inbound HTTP/1.1\r\n{head}{kind}Content-Length: {len(query)}\r\n\r\n{query}"
        )
    before, _, after = request.encode("ascii").partition(b"id=" + _PLACE.encode())
    return before + b"id=", after


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
