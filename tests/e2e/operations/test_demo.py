"""`letterbox demo`: texts come in, replies go out, the provider can be asked, and nothing stays."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.service import Service, make_environment, run_command, running, wait_until

SOMEBODY = "447700900020"


def read_items(service: Service, path: str, key: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = service.call(path, key=key).json["items"]
    return items


def follow_hint(said: str, words: str, folder: Path) -> str:
    """What the command of the line that says so prints, run as it stands there."""
    [line] = [line for line in said.splitlines() if words in line]
    ended = subprocess.run(
        line, shell=True, env=make_environment(), cwd=folder, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_demo_shows_texts_replies_and_an_account_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    # What is set outside is for earnest: it must not silence the demo.
    settings: dict[str, Any] = {
        "log_level": "debug",
        "replies_per_hour": 0,
        "send_per_second": 0.001,
    }
    with running(folder, "demo", "--text-every", "1", **settings) as demo:
        wait_until(lambda: "Ctrl+C" in demo.read_log())
        said = demo.read_log()
        [key] = set(re.findall(r"Bearer ([^\"]+)\"", said))
        [url, token] = re.findall(r"LETTERBOX_PROVIDER_(?:URL|TOKEN)=(\S+)", said)
        run_command(folder, "simulate", "clock", "--speed", "60", "--url", url.removesuffix("/api"))
        assert SOMEBODY in follow_hint(said, "simulate text", tmp_path)
        assert "Opening hours" in follow_hint(said, "rules export", tmp_path)

        def find_replies(status: str) -> list[dict[str, Any]]:
            items = read_items(demo, "/outbound", key)
            return [each for each in items if each["to"] == SOMEBODY and each["status"] == status]

        wait_until(lambda: bool(find_replies("delivered")))
        [reply] = find_replies("delivered")
        assert reply["body"].startswith("We are open")
        assert reply["rule_id"]
        sources = {each["source"] for each in read_items(demo, "/messages", key)}
        assert {SOMEBODY, "447700900010", "447700900011"} <= sources
        asked = float(demo.call("/credits", key=key).json["credits"])
        assert 900 < asked < 1000
        printed = json.loads(
            run_command(folder, "credits", "--json", provider_url=url, provider_token=token).stdout
        )
        assert 900 < float(printed["credits"]) <= asked
        assert demo.stop() == 0
    assert list(folder.iterdir()) == []
    assert "Traceback" not in demo.read_log()
    assert token not in demo.read_log().replace(said, "")
