"""The provider's settings: checked when they are read, and the token shown nowhere."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.account import open_provider
from app.domain.errors import NoProvider, SettingsError
from app.settings import Settings, load_settings

TOKEN = "Tok3n-of.the/account"


def load(**overrides: object) -> Settings:
    return load_settings(_env_file=None, **overrides)


def test_the_token_is_masked_wherever_settings_are_shown() -> None:
    settings = load(provider_token=TOKEN)
    shown = dict(settings.describe())
    assert shown["LETTERBOX_PROVIDER_TOKEN"] == "********"
    assert TOKEN not in repr(settings) + str(shown)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s3cret@db/texts", "postgresql://me:********@db/texts"),
        (
            "postgresql://db/texts?user=me&password=s3cret",
            "postgresql://db/texts?user=me&password=********",
        ),
        (
            "postgresql://me:s3cret@db/texts?SslPassword=s3cret&ssl=on",
            "postgresql://me:********@db/texts?SslPassword=********&ssl=on",
        ),
        ("sqlite:////srv/texts.sqlite3", "sqlite:////srv/texts.sqlite3"),
    ],
)
def test_a_databases_password_is_masked_wherever_it_stands(url: str, shown: str) -> None:
    assert dict(load(database_url=url).describe())["LETTERBOX_DATABASE_URL"] == shown


def test_addresses_of_notifications_are_masked_and_not_repeated() -> None:
    addresses = "mailto://me:s3cret@mail.example.com, ntfy://topic"
    settings = load(notify=addresses)
    shown = dict(settings.describe())
    assert shown["LETTERBOX_NOTIFY"] == "mailto://….com ntfy://…"
    assert "s3cret" not in repr(settings) + str(shown)
    with pytest.raises(SettingsError, match=r"^LETTERBOX_NOTIFY: address 1 is none") as caught:
        load(notify="me:s3cret@mail.example.com")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["two words", "tök", "line\nbreak"])
def test_a_token_that_cannot_be_one_is_named_and_not_repeated(token: str) -> None:
    with pytest.raises(SettingsError, match=r"^LETTERBOX_PROVIDER_TOKEN: is mistyped") as caught:
        load(provider_token=token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("provider_url", "provider.example.com/api"),
        ("provider_url", "ftp://provider.example.com"),
        ("provider_url", "https://"),
        ("provider_url", "https://me:secret@provider.example.com/api"),
        ("send_per_second", "0"),
        ("send_per_second", "nan"),
        ("send_concurrency", "0"),
        ("send_concurrency", "1.5"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**{name: value})
    assert str(caught.value).startswith(f"LETTERBOX_{name.upper()}: ")
    assert len(str(caught.value).splitlines()) == 1
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("port", "abc", "LETTERBOX_PORT"),
        ("api_key", "short", "LETTERBOX_API_KEY"),
        ("provider_timezone", "Europe/Londn", "Europe/London"),
        ("processes", "2", "PROCESSES"),
        ("database_url", "mysql://x", "LETTERBOX_DATABASE_URL"),
        ("forwarders", "300.1.1.1", "LETTERBOX_FORWARDERS"),
    ],
)
def test_a_value_that_cannot_be_served_with_is_one_line_that_helps(
    name: str, value: str, told: str
) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        load(**{name: value})
    assert len(str(caught.value).splitlines()) == 1
    assert "short" not in str(caught.value)


def test_without_a_token_the_provider_is_one_clear_problem() -> None:
    with pytest.raises(NoProvider, match=r"^no PROVIDER_TOKEN: set LETTERBOX_PROVIDER_TOKEN$"):
        open_provider(load())


async def test_the_client_of_an_account_opens_without_a_connection() -> None:
    await open_provider(load(provider_token=TOKEN)).aclose()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load().provider_url = "https://elsewhere.example.com"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", "abc", "write a whole number from 0 up to 65535 (it is 'abc')"),
        ("port", "65536", "write a whole number from 0 up to 65535 (it is '65536')"),
        ("send_per_second", "fast", "write a number above 0 up to 10000 (it is 'fast')"),
        ("low_credits", "nan", "write a number from 0 (it is 'nan')"),
        ("run_workers", "maybe", "write true or false (it is 'maybe')"),
        ("log_format", "xml", "write console or json (it is 'xml')"),
        ("log_level", "all", "write debug, info, warning or error (it is 'all')"),
        ("public_url", "http://host:abc", "its port must be a number from 1 to 65535"),
        ("public_url", "http://[::1", "its host is not valid"),
        ("public_url", "https://me:s3cret@host", "write it like https://texts.example.com"),
        ("public_url", "https://host/a?b", "perhaps with a plain path behind it"),
        ("public_url", "https://host/a/../b", "perhaps with a plain path behind it"),
        ("public_url", "https://host/inbound", "Letterbox has a page /inbound of its own"),
        ("public_url", "https://host/Inbound/", "Letterbox has a page /Inbound of its own"),
        ("public_url", "https://a..ü", "is not a valid host name"),
        ("public_url", "https://exa mple.com", "is not a valid host name"),
        ("public_url", "http://host:0", "its port must be a number from 1 to 65535"),
        ("provider_url", "http://host:99999/api", "its port must be a number from 1 to 65535"),
        ("provider_url", "http://[::1/api", "its host is not valid"),
        ("data_dir", "~nobody-is-called-that/x", "no user is called ~nobody-is-called-that"),
        ("database_url", "sqlite:///~nobody-is-called-that/x", "no user is called"),
        ("database_url", "sqlite:///:memory:", "name a file, such as sqlite:///letterbox.sqlite3"),
        ("database_url", "sqlite:///a.db?mode=ro", "a SQLite file takes no parameters"),
        ("host", "unix:", "write unix: and the path of the socket"),
        ("host", "unix:~nobody-is-called-that/x", "no user is called"),
        ("host", "http://127.0.0.1", "write an address such as 127.0.0.1 or ::1, a name"),
        ("host", "127.0.0.1:8000", "write an address such as 127.0.0.1 or ::1, a name"),
        ("host", "*", "write an address such as 127.0.0.1 or ::1, a name"),
        ("api_key", "a key that no header can carry as it is", "without spaces"),
        ("api_key", "ä-key-that-programs-encode-differently", "without spaces"),
        ("forwarders", ",", "name at least one network, or write all"),
        ("forwarders", "none", "'none' is not a network: write it like 192.0.2.0/24"),
        ("reconcile_seconds", "99999999999999999999", "from 0 up to 604800"),
        ("uncertain_proof_seconds", "604801", "from 0 up to 604800"),
        ("public_url", "https://a..example", "is not a valid host name"),
        ("public_url", "https://.example", "is not a valid host name"),
        ("provider_url", "https://exa mple.com/api", "is not a valid host name"),
        ("provider_url", "https://a..example/api", "is not a valid host name"),
        ("data_dir", "\udce9", "it is not UTF-8"),
        ("admin_password", "\udce9\udce9\udce9\udce9", "it is not UTF-8"),
        ("host", "\udce9", "it is not UTF-8"),
    ],
)
def test_a_bad_value_says_in_plain_words_what_to_write(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^LETTERBOX_{name.upper()}: ") as caught:
        load(**{name: value})
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_home_folder_may_be_named_by_its_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert load(data_dir="~/texts").data_dir == Path("/home/ada/texts")
    url = "sqlite:///~/texts/here.sqlite3"
    assert load(database_url=url).sqlite_path == Path("/home/ada/texts/here.sqlite3")
    assert load(host="unix:~/texts.sock").host == "unix:/home/ada/texts.sock"


ENV_FILE = """\ufeffLETTERBOX_API_KEY='an-api-key-with-${HOME}-and-32-characters'
export LETTERBOX_INBOUND_AUTH="${WORD}-and-more"
LETTERBOX_ADMIN_PASSWORD=${LETTERBOX_INBOUND_AUTH:-nothing}
LETTERBOX_PROVIDER_TOKEN='${HOME'  # a comment
LETTERBOX_PORT=${NO_SUCH_VARIABLE:-8123}
LETTERBOX_HOST=
"""


def test_variables_between_single_quotes_are_taken_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "a-word")
    (tmp_path / ".env").write_text(ENV_FILE, encoding="utf-8")
    settings = load_settings(_env_file=tmp_path / ".env")
    secrets = (
        settings.api_key,
        settings.inbound_auth,
        settings.admin_password,
        settings.provider_token,
    )
    assert [each and each.get_secret_value() for each in secrets] == [
        "an-api-key-with-${HOME}-and-32-characters",
        "a-word-and-more",
        "a-word-and-more",
        "${HOME",
    ]
    assert (settings.port, settings.host) == (8123, "127.0.0.1")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"LETTERBOX_PORT=8123\nLETTERBOX_API_KEY='an-api-key-without-an-end\n",
            "line 2 is not NAME",
        ),
        (b"LETTERBOX_PORT: 8123\n", "line 1 is not NAME=value"),
        (b"LETTERBOX_ADMIN_PASSWORD=caf\xe9\n", "not UTF-8 at byte 28"),
    ],
)
def test_a_line_that_would_set_nothing_stops_the_start(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsError, match=said) as caught:
        load_settings(_env_file=tmp_path / ".env")
    assert "an-api-key" not in str(caught.value)


def test_words_are_taken_in_any_case() -> None:
    settings = load(log_level="WARNING", log_format=" Json ")
    assert (settings.log_level, settings.log_format) == ("warning", "json")


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ({"host": "::1", "port": 8000}, "http://[::1]:8000"),
        ({"host": "[::1]", "port": 8000}, "http://[::1]:8000"),
        ({"host": " ::1 "}, "http://[::1]:8000"),
        ({"host": "::", "port": 80}, "http://[::1]:80"),
        ({"host": "2001:db8::7"}, "http://[2001:db8::7]:8000"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:8000"),
        ({"public_url": "https://Bücher.example/"}, "https://xn--bcher-kva.example"),
        ({"public_url": "https://XN--BCHER-KVA.example:443"}, "https://xn--bcher-kva.example"),
        ({"public_url": "http://bücher.example:8080/büro"}, None),
        ({"public_url": "https://example.com/texts/"}, "https://example.com/texts"),
        ({"public_url": "http://[2001:DB8::7]:80/a/b"}, "http://[2001:db8::7]/a/b"),
    ],
)
def test_the_service_calls_itself_as_browsers_write_it(
    given: dict[str, object], base: str | None
) -> None:
    assert load(**given).base_url == (base or "http://xn--bcher-kva.example:8080/b%C3%BCro")
