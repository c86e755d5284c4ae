"""Installs what the tests need from Debian's packages, where this machine lets us."""

import os
import shutil
import subprocess


def install_package(name: str) -> bool:
    """Whether the package is installed now; only root on a Debian may do that."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", name]
    installing = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL)
    return installing.returncode == 0
