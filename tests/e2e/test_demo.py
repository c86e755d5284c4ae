"""`letterbox demo`: texts come in, the provider can be asked, and nothing stays."""

import json
import re
from pathlib import Path

from tests.support.service import Service, run_command, running, wait_until


def read_texts(service: Service, key: str) -> list[dict[str, str]]:
    items: list[dict[str, str]] = service.call("/messages", key=key).json["items"]
    return items


def test_the_demo_shows_texts_and_an_account_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running(folder, "demo", "--text-every", "1", log_level="debug") as demo:
        wait_until(lambda: "Ctrl+C" in demo.read_log())
        said = demo.read_log()
        [key] = set(re.findall(r"Bearer ([^\"]+)\"", said))
        wait_until(lambda: bool(read_texts(demo, key)))
        text = read_texts(demo, key)[0]
        assert text["via"] == "forward"
        assert re.fullmatch("4477009000[0-9]{2}", text["source"])
        assert demo.call("/credits", key=key).json == {"credits": "1000.00"}
        [url, token] = re.findall(r"LETTERBOX_PROVIDER_(?:URL|TOKEN)=(\S+)", said)
        asked = run_command(folder, "credits", "--json", provider_url=url, provider_token=token)
        assert json.loads(asked.stdout) == {"credits": "1000.00"}
        assert demo.stop() == 0
    assert list(folder.iterdir()) == []
    assert "Traceback" not in demo.read_log()
    assert token not in demo.read_log().replace(said, "")
