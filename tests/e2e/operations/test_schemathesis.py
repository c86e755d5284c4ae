"""Schemathesis asks for everything that the description has, rightly and wrongly."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Scale
from tests.e2e.sendings import OURS, providing
from tests.support.service import API_KEY, running

CONFIG = Path(__file__).with_name("schemathesis.toml")
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# The rest is for Python to start, for the description to be read, and for requests under way.
MARGIN_SECONDS = 60


@pytest.mark.soak
@pytest.mark.timeout(480)
def test_the_service_does_what_its_description_says(tmp_path: Path, scale: Scale) -> None:
    seconds = scale.pick(8, 300)
    # The same requests in each small run; others in each full one.
    seed = () if scale.full else ("--seed", "1")
    with providing() as provider, running(tmp_path / "data", **provider.settings) as service:
        for number in range(3):
            assert service.forward(f"id-{number}", dest=OURS).status == 200
        command = [
            str(SCHEMATHESIS),
            *("--config-file", str(CONFIG), "run", f"{service.url}/openapi.json"),
            *("--url", service.url, "--header", f"Authorization: Bearer {API_KEY}"),
            *("--max-time", str(seconds), *seed),
        ]
        ran = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=seconds + MARGIN_SECONDS
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert service.ask("/livez").status == 200
        assert "Traceback" not in service.read_log()
