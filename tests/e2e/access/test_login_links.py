"""Links that sign in, from the start and from the command line, over a real process."""

import re
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.support.service import Service, run_command, running

LINK = re.compile(r"http://127\.0\.0\.1:\d+/sign-in\?link=[\w-]{43}")


def follow(service: Service, link: str) -> tuple[int, str]:
    """Press the button of the page that a link opens; the status and the cookie."""
    parts = urlsplit(link)
    assert service.ask(f"{parts.path}?{parts.query}").status == 200
    token = parts.query.removeprefix("link=")
    headers = {
        "Origin": service.url,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = urlencode({"link": token}).encode()
    answer = service.ask("/sign-in/link", method="POST", body=body, headers=headers)
    return answer.status, answer.headers.get("set-cookie", "").partition(";")[0]


def test_a_start_prints_a_link_that_signs_in_once(tmp_path: Path) -> None:
    with running(tmp_path / "data", "serve", "--show-secrets") as service:
        [link] = LINK.findall(service.read_log())
        status, cookie = follow(service, link)
        assert status == 303
        page = service.ask("/", headers={"Cookie": cookie})
        assert b"<h1>Inbox</h1>" in page.body
        assert service.ask(f"/sign-in?{urlsplit(link).query}").status == 403


def test_a_start_that_nobody_watches_prints_the_command_instead(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        assert "letterbox login-link" in service.read_log()
        assert not LINK.search(service.read_log())
        made = run_command(tmp_path / "data", "login-link", "--name", "Ada", port=service.port)
        assert LINK.fullmatch(made.stdout.strip())
        assert follow(service, made.stdout.strip())[0] == 303
        assert made.stdout.strip().partition("=")[2] not in service.read_log()


def test_a_link_is_below_public_url_and_a_bad_name_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running(folder, public_url="https://texts.example.com"):
        made = run_command(folder, "login-link", public_url="https://texts.example.com")
        assert made.stdout.startswith("https://texts.example.com/sign-in?link=")
        refused = run_command(folder, "login-link", "--name", " ")
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert "write a name of 1 to 60 characters" in refused.stderr
