"""The access log shows no secret, whatever a path holds."""

from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from app.api.middleware.access_log import MAX_PATH, show_path
from tests.support.kit import Kit

SECRET = "an-auth-value"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/inbox", "/inbox"),
        ("/caf\u00e9\n", "/caf%C3%A9%0A"),
        ("/api/v1/numbers/447700900456/rotate-auth", "/api/v1/numbers/447700900456/rotate-auth"),
        ("/authors/x", "/authors/x"),
        ("/100%25", "/100%2525"),
        (f"/inbound:auth={SECRET}", "/inbound%3Aauth%3Dredacted"),
        (f"/sms/AUTH/{SECRET}/x", "/sms/AUTH%3Dredacted"),
        (f"/sms&source=1&auth:{SECRET}&msg=x", "/sms%26source%3D1%26auth%3Dredacted"),
        (f"/sms{quote(quote(f'?auth={SECRET}'))}", "/sms%3Fauth%3Dredacted"),
        (f"/sms?%61uth={SECRET}", "/sms%3Fauth%3Dredacted"),
    ],
)
def test_a_path_is_shown_without_the_value_of_an_auth(path: str, shown: str) -> None:
    assert show_path(path) == shown


def test_a_long_path_is_cut() -> None:
    assert show_path("/" + "x" * 5000) == "/" + "x" * (MAX_PATH - 1)


@pytest.mark.parametrize("top", ["", "/api/v1"])
async def test_no_log_holds_what_a_wrong_url_has(kit: Kit, top: str) -> None:
    with capture_logs() as lines:
        for end in (
            f"/auth/{SECRET}",
            f"/x%3Aauth%3D{SECRET}",
            f"?auth={SECRET}",
            f"/x;auth={SECRET}",
        ):
            assert (await kit.client.get(f"{top}/sms{end}")).status_code == 404
    assert [line["event"] for line in lines] == ["request"] * 4
    assert SECRET not in str(lines)
