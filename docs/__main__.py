"""Writes the generated pages of docs/reference: `make docs`."""

import tempfile
from pathlib import Path

from docs import alerts, commands, decision_list, endpoints, limits, promises, settings
from tests.support.service import running

# Those that need no running service.
PAGES = (alerts, commands, decision_list, limits, promises, settings)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as service:
        schema = service.ask("/openapi.json").json
    endpoints.PAGE.write_text(endpoints.render_page(schema))
    for page in PAGES:
        page.PAGE.write_text(page.render_page())


if __name__ == "__main__":
    main()
