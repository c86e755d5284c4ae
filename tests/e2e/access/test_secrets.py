"""Secrets in an outage: neither the spool, nor PostgreSQL, nor any log or answer ever has one."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.e2e.stores import PostgresStore
from tests.support.service import (
    NUMBER,
    Answer,
    Service,
    make_forward,
    run_command,
    running,
    wait_until,
)

# Files whose very purpose it is to hold one.
OWN_FILES = {"inbound_auth", "api_key"}


def send_in_every_form(service: Service, auth: str, name: str) -> None:
    """Forwards that carry the auth value where a form, an escape or a fault may hide it."""
    escaped = "".join(f"%{byte:02x}" for byte in auth.encode())
    boundary = f'--x\r\nContent-Disposition: form-data; name="Auth"\r\n\r\n{auth}\r\n--x--\r\n'
    bodies = [
        (f"%61uth={auth}&auth={auth}&msg={name}-form", "application/x-www-form-urlencoded"),
        (json.dumps({"AUTH": auth, "msg": f"{name}-json"}), "application/json"),
        (f'{{"auth": "{auth}", "msg": "{name}-torn', "application/json"),
        (boundary, "multipart/form-data; boundary=x"),
        (f"auth={auth}&msg={name}-text", "text/plain"),
    ]
    for body, content_type in bodies:
        answer = service.ask(
            "/inbound", method="POST", body=body.encode(), headers={"Content-Type": content_type}
        )
        assert answer.status == 200, (content_type, answer)
    query = make_forward(f"{name}-escaped", auth="").removesuffix("auth=")
    assert service.ask(f"/inbound?{query}auth={escaped}&AUTH={quote(auth)}").status == 200


def send_form(service: Service, path: str, form: Mapping[str, str], cookie: str = "") -> Answer:
    """A form of a page, as a browser sends it."""
    headers = {
        "Origin": service.url,
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": cookie,
    }
    return service.ask(path, method="POST", body=urlencode(form).encode(), headers=headers)


def sign_in(service: Service, path: str, form: Mapping[str, str]) -> str:
    """The cookie of a session that a form begins."""
    answer = send_form(service, path, form)
    assert answer.status == 303, answer
    return answer.headers["set-cookie"].partition(";")[0]


def look_at_pages(service: Service, folder: Path, url: str) -> tuple[list[bytes], list[str]]:
    """What pages show somebody who signs in either way, and the secrets that this takes."""
    wrong = send_form(service, "/sign-in", {"name": "Ada", "password": "not-the-password"})
    assert wrong.status == 422
    password = sign_in(service, "/sign-in", {"name": "Ada", "password": "a-pages-password"})
    made = run_command(
        folder, "login-link", "--name", "Grace", database_url=url, inbound_auth=None, api_key=None
    )
    assert made.returncode == 0, made.stderr
    [link] = re.findall(r"link=(\S+)", made.stdout)
    assert service.ask(f"/sign-in?link={link}").status == 200
    by_link = sign_in(service, "/sign-in/link", {"link": link})
    assert send_form(service, "/sign-in/link", {"link": link}).status == 403
    shown = []
    for cookie in (password, by_link):
        for path in ("/", "/numbers", "/overview", "/keys", "/audit", "/outbox", "/contacts"):
            answer = service.ask(path, headers={"Cookie": cookie})
            assert answer.status in {200, 502}, (path, answer)
            shown.append(answer.body)
    tokens = [cookie.partition("=")[2] for cookie in (password, by_link)]
    return [wrong.body, *shown], ["not-the-password", link, *tokens]


def has_recovered(service: Service) -> bool:
    ready = service.ask("/readyz").json
    return bool(ready["database"]["status"] == ready["spool"]["status"] == "ok")


def read_files(folder: Path) -> bytes:
    files = [each for each in folder.rglob("*") if each.is_file() and each.name not in OWN_FILES]
    return b"".join(each.read_bytes() for each in files)


def dump(store: PostgresStore) -> bytes:
    """Every row of every table, with bytes as text and as they are."""
    text = "\n".join(
        str(row) for table in store.list_tables() for row in store.fetch(f"SELECT * FROM {table}")
    )
    raw = b"".join(bytes(row[0]) for row in store.fetch("SELECT raw FROM messages"))
    return text.encode() + raw


@pytest.mark.xdist_group("durable server")
def test_no_secret_leaks_in_an_outage(durable_store: PostgresStore, tmp_path: Path) -> None:
    server, folder = durable_store.server, tmp_path / "data"
    # The server trusts everybody; the password is one more thing that must not show.
    url = durable_store.url.replace("postgres@", "postgres:a-database-password@")
    with running(
        folder,
        database_url=url,
        inbound_auth=None,
        api_key=None,
        admin_password="a-pages-password",
        provider_token="a-provider-token",
        # Nobody answers there.
        provider_url="http://127.0.0.1:9/api",
        log_level="debug",
        log_format="json",
    ) as service:
        auth = (folder / "inbound_auth").read_text().strip()
        key = (folder / "api_key").read_text().strip()
        number = service.call("/numbers", method="POST", body={"number": NUMBER}, key=key).json
        own = number["auth"][0]["value"]
        wanted = {"name": "x", "scopes": ["messages:read"]}
        narrow = service.call("/keys", method="POST", body=wanted, key=key).json["key"]
        secrets = [auth, key, own, narrow, "a-wrong-value", "a-database-password"]
        secrets += ["a-pages-password", "a-provider-token"]
        pages, secrets_of_pages = look_at_pages(service, folder, url)
        secrets += secrets_of_pages
        text = {"to": "447700900123", "source": NUMBER, "body": "Hello"}
        assert service.call("/outbound", method="POST", body=text, key=key).status == 202
        assert service.call("/credits", key=key).status == 503

        send_in_every_form(service, auth, "before")
        assert service.forward("own", auth=own).status == 200
        assert service.forward("wrong", auth="a-wrong-value").status == 403
        assert service.call(f"/messages?limit={key}", key=narrow).status == 422
        assert service.call(f"/messages?{own}=1", key="a-wrong-value" * 3).status == 401
        server.stop("immediate")
        send_in_every_form(service, auth, "during")
        assert service.forward("own-during", auth=own).status == 200
        assert service.forward("wrong", auth="a-wrong-value").status == 503
        assert service.call("/messages", key=narrow).status == 503
        kept = read_files(folder)
        assert b"during-json" in kept
        server.start()
        wait_until(lambda: has_recovered(service), what=service.log)
        shown = [service.ask("/metrics").body, service.ask("/readyz").body]
        shown += [
            service.call(path, key=key).body
            for path in ("/messages", "/refusals", "/numbers", "/keys", "/alerts", "/stats")
        ]
        detail = json.loads(shown[2])["items"][0]["id"]
        shown.append(service.call(f"/messages/{detail}", key=key).body)
        assert service.stop() == 0
    stored = dump(durable_store)
    assert b"during-json" in stored
    everything = b"".join(
        [kept, *shown, *pages, stored, read_files(folder), service.log.read_bytes()]
    )
    for secret in secrets:
        assert secret.encode() not in everything, secret
        assert secret.encode().hex().encode() not in everything, secret
    assert b"Traceback" not in service.log.read_bytes()
