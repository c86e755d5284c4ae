"""DEFAULT_REGION, and numbers in a service whose region is another."""

import pytest

from app.domain.errors import SettingsError
from app.settings import load_settings


@pytest.mark.parametrize("region", ["UK", "Great Britain", "44", "XX", "EN"])
def test_a_region_that_does_not_exist_stops_the_start_with_a_line_that_names_one(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERBOX_DEFAULT_REGION", region)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    line = str(raised.value)
    assert line.startswith("LETTERBOX_DEFAULT_REGION: ")
    assert "GB" in line
    assert "\n" not in line


def test_a_region_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERBOX_DEFAULT_REGION", " de ")
    assert load_settings().default_region == "DE"
