"""Brings programs that the tests run against: as a command, or it says what to install."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Debian keeps some of them where only root's PATH looks.
PLACES = ("/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
# Proxies, a pooler before PostgreSQL, and a flood of slow readers. Other systems name the packages
# alike.
PROGRAMS = ("haproxy", "nginx", "pgbouncer", "slowhttptest")


# Programs that check more if they are there, each in a large package of which one file is needed.
OPTIONAL = {"promtool": ("prometheus", "usr/bin/promtool")}


def find_optional(name: str) -> str | None:
    """The path of a program that `main` brings where it can."""
    return shutil.which(name, path=":".join(PLACES))


def find_program(name: str) -> str:
    """The path of a program that `main` brings."""
    found = shutil.which(name, path=":".join(PLACES))
    assert found is not None, f"install {name}, or run `make test`, which brings it on Debian"
    return found


def install_package(name: str) -> bool:
    """Whether the package is installed now; only root on a Debian may do that."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", name]
    installing = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL)
    if installing.returncode == 0 and shutil.which("service"):
        # Debian starts what it installs; the tests start their own.
        subprocess.run(["service", name, "stop"], capture_output=True, timeout=30)
    return installing.returncode == 0


def extract_program(name: str) -> bool:
    """Take one file out of a package, without what it depends on and the services it starts."""
    package, path = OPTIONAL[name]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True)
        getting = ["apt-get", "download", "-qq", package]
        got = subprocess.run(getting, cwd=folder, capture_output=True)
        for file in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", file, folder], check=True)
            shutil.copy(Path(folder) / path, Path("/usr/local/bin") / name)
        return got.returncode == 0


def main() -> None:
    for name in OPTIONAL:
        if find_optional(name) is None and not extract_program(name):
            print(f"without {name}: the tests check less of docs/monitoring")
    missing = [
        name
        for name in PROGRAMS
        if shutil.which(name, path=":".join(PLACES)) is None and not install_package(name)
    ]
    if missing:
        names = " ".join(missing)
        sys.exit(f"the tests need {names}: install them (Debian: apt-get install {names})")


if __name__ == "__main__":
    main()
