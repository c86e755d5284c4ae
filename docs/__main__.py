"""Writes the generated pages of docs/reference: `make docs`."""

import tempfile
from pathlib import Path

from docs import alerts, commands, endpoints, limits, settings
from tests.support.service import running


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as service:
        schema = service.ask("/openapi.json").json
    alerts.PAGE.write_text(alerts.render_page())
    commands.PAGE.write_text(commands.render_page())
    endpoints.PAGE.write_text(endpoints.render_page(schema))
    limits.PAGE.write_text(limits.render_page())
    settings.PAGE.write_text(settings.render_page())


if __name__ == "__main__":
    main()
