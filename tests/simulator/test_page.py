"""The page for people: a form that texts in, tables of what came and went, no scripts."""

from tests.simulator.play import ADA, VMN, Wire


def test_form_texts_in_and_the_page_shows_it(wire: Wire) -> None:
    form = {"source": f" {ADA} ", "dest": VMN, "body": "Hello from the page"}
    response = wire.http.post("/", data=form)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    page = wire.http.get("/").text
    assert "Hello from the page" in page
    assert f"<td>{ADA}" in page
    assert f"<option value='{VMN}'>" in page


def test_page_shows_what_went_out_and_how_it_goes(wire: Wire) -> None:
    wire.send(body="Going out")
    assert "<td>Going out<td>Pending<td>1" in wire.http.get("/").text
    wire.order("PATCH", "clock", {"advance_seconds": 10})
    assert "<td>Going out<td>Delivered<td>1" in wire.http.get("/").text


def test_page_escapes_everything_that_came_from_outside(wire: Wire) -> None:
    evil = "<script>alert('x')</script>"
    wire.send(body=evil)
    wire.http.post("/", data={"source": evil, "dest": VMN, "body": evil})
    wire.order("POST", "accounts", {"username": evil, "token": "evil"})
    page = wire.http.get("/").text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_unknown_number_is_said_on_the_page(wire: Wire) -> None:
    response = wire.http.post("/", data={"source": ADA, "dest": "<b>", "body": "x"})
    assert response.status_code == 422
    assert "There is no number &lt;b&gt;." in response.text


def test_page_shows_the_magic_numbers(wire: Wire) -> None:
    page = wire.http.get("/").text
    assert "<td>447700900412<td>refused with -412 Number is blacklisted" in page
