"""The provider on a real socket: exact bytes, GET and POST, every action by its name."""

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.simulator.play import ADA, GRACE, VMN, Wire


def exchange_bytes(wire: Wire, request: str) -> tuple[str, bytes]:
    """One request as it stands, and the head and body of what came back."""
    place = urlsplit(wire.url)
    assert place.hostname is not None
    with socket.create_connection((place.hostname, place.port or 80), timeout=20) as connection:
        connection.sendall(request.encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body


def get(wire: Wire, query: str) -> tuple[str, bytes]:
    head = f"GET /api?{query} HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n\r\n"
    return exchange_bytes(wire, head)


def post(wire: Wire, body: str) -> tuple[str, bytes]:
    head = (
        "POST /api HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body.encode())}\r\n\r\n"
    )
    return exchange_bytes(wire, head + body)


@pytest.mark.parametrize("call", [get, post])
@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("Action=CheckCredits", b"1000.00"),
        ("Action=checkcredits", b"1000.00"),
        ("Action=CHECKCREDITS", b"1000.00"),
        ("Action=Nothing", b"-502"),
        ("Action=Nothing&ShowErrorMessage=0", b"-502\nUnknown Action"),
        ("Action=CheckMessageStatus&MessageID=1", b"-503"),
        (
            "Action=Send&DestinationAddress=447700900011&SourceAddress=API&Body=Hello%20World",
            b"3509592",
        ),
        (
            "Action=Send&DestinationAddress=447700900011%2C447700900412&SourceAddress=API&Body=x",
            b"3509592,-412",
        ),
        ("Action=Send&DestinationAddress=List&ListName=people&SourceAddress=API&Body=x", b"1"),
        ("Action=CancelMessage&MessageID=1", b"-503"),
        (
            "Action=Report&ReportType=Usage&From=20260301000000&To=20260302235959",
            b'"Status","Messages"\n',
        ),
        ("Action=UpdateCredits&ChildUsername=child&Quantity=5", b"1"),
        (
            (
                "Action=CreateUser&ChildUsername=n&ChildPassword=p&AccessLevel=Normal"
                "&FirstName=F&LastName=L&Email=e%40example.com&Credits=5"
            ),
            b"1",
        ),
        ("Action=CreateUser", b"-507\nChildUsername is missing\nChildPassword is missing\n"),
        (
            "Action=ImportContactsCSV&ContactsCSV=Ada%2C447700900011%0ABob%2C",
            b"1 : Success\n2 : Failed\n\n2 : Invalid number ()\n",
        ),
        ("Action=GetAllContacts", b'"Name","Number","Email","Groups"\n'),
        ("Action=GetAllGroups", b'"Group","Contacts"\n'),
        ("Action=DeleteAllContacts", b"1"),
        ("Action=DeleteAllGroups", b"1"),
        ("Action=EmptyGroup&Group=none", b"-520"),
        ("Action=DeleteGroup&Group=none", b"-520"),
        (
            "Action=GetBGMessages&BGSendID=1",
            b'{"error":"-521","message":"Unknown Background SendID"}',
        ),
    ],
)
def test_call_is_answered_byte_by_byte(
    wire: Wire, call: Callable[[Wire, str], tuple[str, bytes]], query: str, answer: bytes
) -> None:
    head, body = call(wire, f"Token=demo-token&{query}")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "content-type: text/html; charset=utf-8" in head
    whole = body if "content-length" in head else unchunk(body)
    assert whole[: len(answer)] == answer
    assert len(whole) == len(answer) or query == "Action=CreateUser"


def unchunk(body: bytes) -> bytes:
    whole = b""
    while size := int(body.partition(b"\r\n")[0], 16):
        start = body.index(b"\r\n") + 2
        whole, body = whole + body[start : start + size], body[start + size + 2 :]
    return whole


def test_text_of_a_message_is_read_as_percent_encoded_utf_8(wire: Wire) -> None:
    query = "Token=demo-token&Action=Send&DestinationAddress=447700900011&SourceAddress=API"
    get(wire, f"{query}&Body=5%E2%82%AC+%26+Zo%C3%AB%0A%F0%9F%98%80")
    post(wire, f"{query}&Body=Zoë")
    bodies = [one["body"] for one in wire.order("GET", "ledger").json()["messages"]]
    assert bodies == ["5€ & Zoë\n😀", "Zoë"]


def test_parameters_of_query_and_form_and_multipart_are_all_read(wire: Wire) -> None:
    url = "/api?Token=demo-token&Action=Send&SourceAddress=API"
    mixed = wire.http.post(url, data={"DestinationAddress": ADA, "Body": "Hello"})
    parts = wire.http.post(
        url, data={"DestinationAddress": GRACE}, files={"Body": ("body.txt", "Héllo".encode())}
    )
    assert (mixed.text, parts.text) == ("3509592", "3509593")
    assert [one["body"] for one in wire.order("GET", "ledger").json()["messages"]] == [
        "Hello",
        "Héllo",
    ]


def test_ten_thousand_numbers_fit_in_one_post(wire: Wire) -> None:
    wire.order("PATCH", "accounts/demo", {"credits": "20000"})
    numbers = ",".join(f"4477009000{index % 90 + 10:02d}" for index in range(10_000))
    assert len(wire.send(numbers).text.split(",")) == 10_000
    assert wire.ask("CheckCredits") == "10000.00"


def test_other_methods_and_paths_are_not_the_provider(wire: Wire) -> None:
    assert wire.http.put("/api").status_code == 405
    assert wire.http.get("/api2").status_code == 404
    assert wire.http.get("/api/", params={"Action": "x"}).text == "-501"


def test_token_is_neither_in_the_call_log_nor_in_the_ledger(wire: Wire) -> None:
    wire.send()
    assert "demo-token" not in wire.order("GET", "calls").text
    assert "demo-token" not in wire.order("GET", "ledger").text


def test_calls_are_counted_by_action(wire: Wire) -> None:
    wire.send()
    wire.ask("CheckCredits")
    wire.ask("CheckCredits")
    calls = wire.order("GET", "calls").json()
    assert calls["counts"] == {"Send": 1, "CheckCredits": 2}
    assert calls["recent"][0]["answer"] == "3509592"
    assert calls["recent"][0]["parameters"] == {
        "Action": "Send",
        "DestinationAddress": ADA,
        "Body": "Hello",
        "SourceAddress": VMN,
    }


def test_long_report_is_streamed(wire: Wire) -> None:
    wire.order("PATCH", "switches", {"filler_rows": 20_000})
    span = {"From": "20260301000000", "To": "20260303000000"}
    data = {"Token": "demo-token", "Action": "Report", "ReportType": "Messages", **span}
    with wire.http.stream("POST", "/api", data=data) as response:
        assert "content-length" not in response.headers
        assert sum(1 for _ in response.iter_lines()) == 20_001
