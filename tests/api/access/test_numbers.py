"""Numbers and keys over REST."""

from typing import Any

import pytest

from tests.support.kit import Kit


async def add(kit: Kit, number: str = "+44 7700 900456", **fields: Any) -> dict[str, Any]:
    answer = await kit.client.request("POST", "/api/v1/numbers", json={"number": number, **fields})
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_an_auth_value_is_shown_once_when_it_is_made(kit: Kit) -> None:
    made = await add(kit, label="Desk", merge_field_names={"1": "colour"})
    assert made["number"] == "447700900456"
    [auth] = made["auth"]
    assert len(auth["value"]) >= 32
    shown = await kit.get("/numbers/447700900456")
    assert shown["label"] == "Desk"
    assert shown["merge_field_names"] == {"1": "colour"}
    assert "value" not in shown["auth"][0]


async def test_a_national_number_is_read_in_the_default_region(kit: Kit) -> None:
    assert (await add(kit, "07700 900456"))["number"] == "447700900456"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", ["", "Shop", "12", "+44", "0", "447700900456;drop"])
@pytest.mark.alike
async def test_what_is_no_number_is_refused(shared_kit: Kit, number: str) -> None:
    answer = await shared_kit.client.request("POST", "/api/v1/numbers", json={"number": number})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "number"


async def test_a_number_can_be_added_once(kit: Kit) -> None:
    await add(kit)
    assert (
        await kit.client.request("POST", "/api/v1/numbers", json={"number": "447700900456"})
    ).status_code == 409


async def test_a_number_can_be_changed_and_removed(kit: Kit) -> None:
    await add(kit)
    answer = await kit.client.request(
        "PATCH", "/api/v1/numbers/447700900456", json={"label": "Shop"}
    )
    assert answer.json()["label"] == "Shop"
    assert (await kit.client.request("DELETE", "/api/v1/numbers/447700900456")).status_code == 204
    assert (await kit.client.request("GET", "/api/v1/numbers/447700900456")).status_code == 404
    assert (await kit.client.request("DELETE", "/api/v1/numbers/447700900456")).status_code == 404


async def test_a_rotation_shows_the_new_value_and_ends_the_old_one_later(kit: Kit) -> None:
    first = await add(kit)
    answer = await kit.client.request(
        "POST", "/api/v1/numbers/447700900456/rotate-auth", json={"overlap_seconds": 60}
    )
    new, old = answer.json()["auth"]
    assert new["value"] != first["auth"][0]["value"]
    assert (new["expires_at"], old["value"]) == (None, None)
    assert old["expires_at"] is not None


async def test_a_key_can_be_changed_but_is_never_shown_again(kit: Kit) -> None:
    answer = await kit.client.request(
        "POST", "/api/v1/keys", json={"name": "shop", "scopes": ["messages:read"]}
    )
    key = answer.json()
    changed = await kit.client.request(
        "PATCH", f"/api/v1/keys/{key['id']}", json={"scopes": ["admin"]}
    )
    assert changed.json()["scopes"] == ["admin"]
    assert "key" not in changed.json()
    bearer = {"Authorization": f"Bearer {key['key']}"}
    assert (await kit.client.request("GET", "/api/v1/numbers", headers=bearer)).status_code == 200


async def test_a_key_needs_a_scope_that_exists(kit: Kit) -> None:
    for scopes in ([], ["everything"]):
        answer = await kit.client.request(
            "POST", "/api/v1/keys", json={"name": "x", "scopes": scopes}
        )
        assert answer.status_code == 422
