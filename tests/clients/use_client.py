"""Uses the generated Python client and httpx-sse on a running service: its URL, a key.

It runs in the environment of requirements.lock, beside the generated package `letterbox_client`.
"""

import json
import sys

import httpx
from httpx_sse import connect_sse
from letterbox_client import AuthenticatedClient
from letterbox_client.api.contacts import import_contacts  # noqa: F401 that it was generated
from letterbox_client.api.rules import change_rule, create_rule
from letterbox_client.models import Rule, RuleChanges, RuleCreate


def main(url: str, key: str) -> None:
    client = AuthenticatedClient(url, key)
    draft = RuleCreate(name="Hours", reply="We are open.", enabled=False, cooldown_seconds=60)
    made = create_rule.sync(client=client, body=draft)
    assert isinstance(made, Rule), made
    renamed = change_rule.sync(made.id, client=client, body=RuleChanges(name="Opening hours"))
    assert isinstance(renamed, Rule), renamed
    assert renamed.to_dict() == made.to_dict() | {"name": "Opening hours"}, renamed

    headers = {"Authorization": f"Bearer {key}"}
    with (
        httpx.Client(timeout=60) as streaming,
        connect_sse(streaming, "GET", f"{url}/api/v1/events", headers=headers) as source,
    ):
        opening = next(source.iter_sse())
    assert (opening.event, json.loads(opening.data)) == ("ready", {}), opening


if __name__ == "__main__":
    main(*sys.argv[1:])
