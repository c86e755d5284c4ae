"""The provider's settings: checked when they are read, and the token shown nowhere."""

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
