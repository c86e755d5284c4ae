"""The wheel, installed without the checkout: `uv tool install` and `pipx install` do no more."""

import http.client
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from app import __version__
from app.storage.db.migrate import list_revisions
from tests.support.service import find_free_port, make_environment, wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`letterbox` of an environment that has the wheel, and finds its dependencies here."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    [wheel] = folder.glob(f"letterbox-{__version__}-*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env/bin/python"
    _run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "-q",
        "--no-deps",
        str(wheel),
    )
    [packages] = folder.glob("env/lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "env/bin/letterbox"


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)


def test_the_wheel_has_all_that_a_service_needs(command: Path, tmp_path: Path) -> None:
    port = find_free_port()
    environment = make_environment(data_dir=tmp_path / "data", port=port)
    environment.pop("PYTHONPATH", None)

    def ask(*arguments: str) -> str:
        done = subprocess.run(
            [command, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()

    assert ask("--version") == f"letterbox {__version__}"
    assert ask("migrate") == f"migrated to {list_revisions()[-1]}"
    log = tmp_path / "log"
    with log.open("wb") as output:
        serving = subprocess.Popen(
            [command, "serve"], cwd=tmp_path, env=environment, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: _get(port, "/readyz") == 200, seconds=30, what=log)
        assert _get(port, "/sign-in") == 200
        assert _get(port, "/docs") == 200
    finally:
        serving.terminate()
        serving.wait(20)


def _get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
