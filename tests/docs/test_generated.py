"""Pages that are written from the code say what the code says: `make docs` writes them anew."""

from pathlib import Path

import pytest

from docs import endpoints
from docs.__main__ import PAGES
from tests.api.running import running


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.PAGE.stem)
def test_a_page_is_as_the_code_has_it(page: object) -> None:
    assert page.PAGE.read_text() == page.render_page()  # type: ignore[attr-defined]


async def test_the_page_of_paths_is_as_the_description_has_it(
    tmp_path: Path, sqlite_url: str
) -> None:
    async with running(sqlite_url, tmp_path) as api:
        schema = (await api.client.get("/openapi.json")).json()
    assert endpoints.PAGE.read_text() == endpoints.render_page(schema)
