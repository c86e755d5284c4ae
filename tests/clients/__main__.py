"""Lints the description, or compiles clients made from it: python -m tests.clients lint|compile.

Where the machine lacks the tools it says so and does nothing, with `--if-possible`; else it fails.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tests.support.service import API_KEY, Service, running

FOLDER = Path(__file__).parent
WORK = FOLDER / "made"
DESCRIPTION = WORK / "openapi.json"
PYTHON = WORK / "python" / "bin"
SECONDS = 900
RECEIVING_SECONDS = 30


def find_lack() -> str:
    """What keeps this machine from running the tools; "" for nothing."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} are not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    major, minor = map(int, version.removeprefix("v").split(".")[:2])
    if (major, minor) < (20, 19):
        return f"Node.js 20.19 or newer is needed; this is {version}"
    ping = subprocess.run(["npm", "ping"], capture_output=True, timeout=SECONDS)
    return "" if ping.returncode == 0 else "npm cannot reach its registry"


def run(*command: str | Path, folder: Path = FOLDER) -> None:
    print("+", *(Path(each).name for each in command[:2]), *command[2:], flush=True)
    subprocess.run([str(each) for each in command], cwd=folder, check=True, timeout=SECONDS)


def install_node_tools() -> None:
    run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")


def run_node_tool(name: str, *arguments: str | Path) -> None:
    run(FOLDER / "node_modules" / ".bin" / name, *arguments)


def lint() -> None:
    install_node_tools()
    run_node_tool("spectral", "lint", "--fail-severity=hint", "-r", "spectral.yaml", DESCRIPTION)
    run_node_tool("redocly", "lint", "--config", "redocly.yaml", DESCRIPTION)


def compile_clients(service: Service) -> None:
    install_node_tools()
    plugins = ("@hey-api/typescript", "@hey-api/sdk", "@hey-api/client-fetch")
    output = WORK / "hey-api"
    run_node_tool(
        "openapi-ts", "-i", DESCRIPTION, "-o", output, *(f"-p={each}" for each in plugins)
    )
    run_node_tool("openapi-typescript", DESCRIPTION, "-o", WORK / "openapi-typescript.d.ts")
    run_node_tool("tsc", "-p", ".")
    receive_webhook(service)

    run(sys.executable, "-m", "venv", PYTHON.parent)
    install = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes")
    run(PYTHON / "python", *install, "-r", "requirements.lock")
    package = WORK / "letterbox_client"
    generate = ("generate", "--meta=none", "--overwrite", "--path", DESCRIPTION)
    run(PYTHON / "openapi-python-client", *generate, "--output-path", package)
    shutil.copy(FOLDER / "use_client.py", WORK)
    checked = ("letterbox_client", "use_client.py")
    run(PYTHON / "mypy", "--strict", "--explicit-package-bases", *checked, folder=WORK)
    run(PYTHON / "python", "use_client.py", service.url, API_KEY, folder=WORK)


def receive_webhook(service: Service) -> None:
    """A delivery is accepted by the library of Standard Webhooks for JavaScript."""
    print("+ node receive_webhook.js", flush=True)
    with subprocess.Popen(
        ["node", "receive_webhook.js"],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as receiver:
        assert receiver.stdin is not None
        assert receiver.stdout is not None
        patience = threading.Timer(RECEIVING_SECONDS, receiver.kill)
        patience.start()
        try:
            url = f"http://127.0.0.1:{receiver.stdout.readline().strip()}/"
            body = {"url": url, "types": ["message.received"]}
            made = service.call("/webhooks", method="POST", body=body)
            receiver.stdin.write(f"{made.json['secret']}\n")
            receiver.stdin.close()
            assert service.forward("webhook", msg="Hello").status == 200
            assert receiver.stdout.readline() == "message.received Hello\n"
            assert receiver.wait() == 0
        finally:
            patience.cancel()
            receiver.kill()


def main(what: str, *options: str) -> None:
    lack = find_lack()
    if lack:
        if "--if-possible" not in options:
            sys.exit(f"openapi {what}: {lack}")
        print(f"openapi {what} is skipped: {lack}")
        return
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "data", api_key=API_KEY, webhook_networks="127.0.0.1") as service,
    ):
        described = service.ask("/openapi.json").json
        DESCRIPTION.write_text(json.dumps(described, indent=1, ensure_ascii=False))
        if what == "lint":
            lint()
        else:
            compile_clients(service)
    print(f"openapi {what}: well")


if __name__ == "__main__":
    main(*sys.argv[1:])
