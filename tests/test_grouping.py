"""That tests which share a heavy thing run on one worker."""

import pytest


@pytest.mark.xdist_group("grouping")
@pytest.mark.parametrize("value", ["a", "with@sign"])
def test_a_group_shows_in_the_name_that_workers_are_chosen_by(
    request: pytest.FixtureRequest, value: str
) -> None:
    is_grouping = request.config.getoption("loadgroup", default=False)
    assert request.node.nodeid.endswith("]@grouping" if is_grouping else f"[{value}]")
