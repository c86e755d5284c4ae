"""The documentation holds together: links lead somewhere, and every page is linked."""

from pathlib import Path

import pytest

from tests.docs.pages import FRONT, ROOT, list_anchors, list_links, list_pages

PAGES = list_pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    broken = []
    for link in list_links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        is_there = target.exists()
        if is_there and anchor:
            is_there = target.suffix == ".md" and anchor in list_anchors(target)
        if not is_there:
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_front() -> None:
    reached: set[Path] = set()
    waiting = [*FRONT]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in list_links(page):
            named = (page.parent / link.partition("#")[0]).resolve()
            # A folder is shown with the README in it.
            target = named / "README.md" if named.is_dir() else named
            if target.suffix == ".md" and target.is_file():
                waiting.append(target)
    assert set(PAGES) - reached == set()


def test_every_picture_is_shown_on_a_page() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in list_links(page)}
    assert set((ROOT / "docs/images").glob("*.png")) - shown == set()


def test_a_heading_is_named_as_a_forge_names_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# `/readyz`\n## What to do when …\n```sh\n# none\n```\n## A [b](c.md) d\n## D\n## D\n"
    )
    assert list_anchors(page) == {"readyz", "what-to-do-when-", "a-b-d", "d", "d-1"}
