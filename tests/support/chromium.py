"""Finds a Chromium for the tests of the pages; as a command it brings one or says what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.debian import install_package

VARIABLE = "LETTERBOX_CHROMIUM"
# The same engine without the windows around it: the pages' tests take half the time.
SHELL = "chromium-headless-shell"
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "the pages are tested in a real browser: install Chromium (Debian: apt-get install"
    f" {SHELL}; elsewhere: .venv/bin/playwright install chromium), or name one in {VARIABLE}"
)
# The browser talks to the service under test alone.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium(downloaded: Path) -> Path | None:
    """The one that VARIABLE names, the machine's, or Playwright's where it has been downloaded."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is not None:
        return Path(found)
    return downloaded if downloaded.exists() else None


def bring_chromium() -> None:
    """Debian's where we may install it, else Playwright's; whoever looks again sees what came."""
    # Older releases have the whole one alone.
    if not (install_package(SHELL) or install_package("chromium")):
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"])


def main() -> None:
    with sync_playwright() as playwright:
        downloaded = Path(playwright.chromium.executable_path)
    if find_chromium(downloaded) is None:
        bring_chromium()
    if find_chromium(downloaded) is None:
        sys.exit(MISSING)


if __name__ == "__main__":
    main()
