"""The wheel, installed without the checkout: in this Python as it is, and by uv in another one."""

import http.client
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from app import __version__
from app.storage.db.migrate import list_revisions
from tests.support.service import (
    API_KEY,
    find_free_port,
    make_environment,
    make_forward,
    wait_until,
)

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
OTHERS = ("3.14", "3.13", "3.12", "3.11")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    [wheel] = folder.glob(f"letterbox-{__version__}-*.whl")
    return wheel


@pytest.fixture
def command(wheel: Path, tmp_path: Path) -> Path:
    """`letterbox` of an environment that has the wheel, and finds its dependencies here."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", str(python))
    _run(*pip, "install", "-q", "--no-deps", str(wheel))
    [packages] = tmp_path.glob("env/lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return tmp_path / "env/bin/letterbox"


def _run(*command: str, **variables: str) -> None:
    environment = os.environ | variables
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=240)


def find_other_python() -> str | None:
    """The newest Python that is here besides this one: on PATH or one of pyenv's."""
    this = "{}.{}".format(*sys.version_info)
    for version in OTHERS:
        found = [shutil.which(f"python{version}")]
        if pyenv := shutil.which("pyenv"):
            root = subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip()
            found += map(str, Path(root).glob(f"versions/{version}.*/bin/python{version}"))
        for each in filter(None, found):
            asked = subprocess.run([each, "-c", "import venv"], capture_output=True)
            if version != this and asked.returncode == 0:
                return each
    return None


def test_the_wheel_has_all_that_a_service_needs(command: Path, tmp_path: Path) -> None:
    check_service(command, tmp_path)


@pytest.mark.timeout(300)  # it may have to download all of them
def test_uv_installs_it_as_a_tool_in_another_python_and_builds_nothing(
    wheel: Path, tmp_path: Path
) -> None:
    python = find_other_python()
    if python is None:
        pytest.skip(f"none of Python {', '.join(OTHERS)} is on this machine besides this one")
    options = ["--quiet", "--no-build", "--python", python, "--constraints", "requirements.lock"]
    folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    try:
        _run(str(BIN / "uv"), "tool", "install", *options, str(wheel), **folders)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode()
        if "Failed to fetch" in said or "network" in said:
            pytest.skip("no package registry can be reached from here")
        raise AssertionError(said) from None
    check_service(tmp_path / "bin/letterbox", tmp_path)


def check_service(command: Path, folder: Path) -> None:
    """It migrates, starts, takes a text, and gives it back over REST and on the command line."""
    port = find_free_port()
    environment = make_environment(data_dir=folder / "data", port=port)
    environment.pop("PYTHONPATH", None)

    def ask(*arguments: str) -> str:
        done = subprocess.run(
            [command, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()

    assert ask("--version") == f"letterbox {__version__}"
    assert ask("migrate") == f"migrated to {list_revisions()[-1]}"
    log = folder / "log"
    with log.open("wb") as output:
        serving = subprocess.Popen(
            [command, "serve"], cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: _get(port, "/readyz")[0] == 200, seconds=30, what=log)
        assert _get(port, "/sign-in")[0] == 200
        assert _get(port, "/docs")[0] == 200
        assert _get(port, f"/inbound?{make_forward('1', msg='Hello')}") == (200, "OK")
        assert '"body":"Hello"' in _get(port, "/api/v1/messages")[1]
        assert "Hello" in ask("export", "messages")
    finally:
        serving.terminate()
        serving.wait(20)


def _get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {API_KEY}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()
    except OSError:
        return 0, ""
    finally:
        connection.close()
