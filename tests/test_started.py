"""What a web process has not imported by the time that it takes messages."""

import subprocess
import sys

from tests.test_project import ROOT

STARTED = """
import sys
from app.cli import commands
commands._import_structlog()
import app.cli.process.web
print(*sys.modules)
"""


def test_a_start_leaves_out_what_only_some_requests_need() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STARTED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert "app.api.inbound.endpoint" in loaded
    later = {"app.api.rest", "app.web.application", "fastapi", "jinja2", "apprise", "alembic"}
    unneeded = {*later, "sqlalchemy.orm", "rich"}
    assert loaded & unneeded == set()
