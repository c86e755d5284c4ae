"""DATABASE_URL: what libpq's users write there is understood, or refused by its name."""

import re
from pathlib import Path

import pytest

from app.domain.errors import SettingsError
from app.domain.operations.database_url import (
    check_url,
    mask_url,
    prepare_url,
    split_hosts,
    wants_system_roots,
)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/texts@home.sqlite3",
        "postgresql://host/name",
        "postgresql:///name?host=/run/postgresql&user=me@home",
        "postgresql://me:pass%40word%2F@host:5432,other/name",
        "postgres://me@[::1]:65535,[2001:db8::1]/name",
        "postgresql://%2Frun%2Fpostgresql/name",
    ],
)
def test_a_url_that_can_be_used_is_taken(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/name", "write sqlite:///path or postgresql://"),
        ("postgresql+asyncpg://host/name", "write sqlite:///path or postgresql://"),
        *(
            (f"postgresql://me:{password}@host/name", "%40 (@)")
            for password in ("s3@cret", "s3/cret", "1/2", "1#2", "s3#cret", "@", "a@b@c")
        ),
        ("postgresql://host:65536/name", "host:5432"),
        ("postgresql://host:port/name", "host:5432"),
        ("postgresql://one:1,two:99999/name", "host:5432"),
    ],
)
def test_what_cannot_be_used_says_what_to_write_and_repeats_no_password(
    url: str, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        check_url(url)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("postgresql://u:p@a,b:2/x", ["postgresql://u:p@a/x", "postgresql://u:p@b:2/x"]),
        ("postgresql://a,b/x?port=7", ["postgresql://a:7/x", "postgresql://b:7/x"]),
        ("postgresql://a:1,[::1]/x?port=7,8", ["postgresql://a:7/x", "postgresql://[::1]:8/x"]),
        (
            "postgresql://u@/x?host=a,b&port=1,2&sslmode=require",
            [
                "postgresql://u@/x?host=a&port=1&sslmode=require",
                "postgresql://u@/x?host=b&port=2&sslmode=require",
            ],
        ),
        ("postgresql://old/x?host=/tmp&port=7", ["postgresql:///x?host=/tmp&port=7"]),
        ("postgresql:///x?host=::1", ["postgresql:///x?host=[::1]"]),
        (
            "postgresql:///x?host=a%2Cb&port=7%2c8",
            ["postgresql:///x?host=a&port=7", "postgresql:///x?host=b&port=8"],
        ),
        (
            "postgresql:///x?port=7",
            [
                f"postgresql:///x?host={place}&port=7"
                for place in ("/run/postgresql", "/var/run/postgresql", "/tmp", "localhost")
            ],
        ),
    ],
)
def test_servers_are_found_wherever_libpq_finds_them(url: str, urls: list[str]) -> None:
    assert split_hosts(url) == urls


def test_ports_that_fit_no_hosts_are_refused() -> None:
    with pytest.raises(SettingsError, match="2 hosts and 3 ports"):
        split_hosts("postgresql://a,b/x?port=1,2,3")


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("channel_binding=prefer&sslmode=require", "sslmode=require"),
        ("target_session_attrs=read-write", ""),
        ("target_session_attrs=primary", ""),
        ("target_session_attrs=any&gssencmode=disable&load_balance_hosts=disable", ""),
        ("password=a+b", "password=a%2Bb"),
        ("options=-c%20search_path%3Dmine", "options=-c%20search_path%3Dmine"),
        ("sslmode=verify-full&sslrootcert=system", "sslmode=verify-full"),
        ("application_name=office", "application_name=office"),
        ("port=7,,65535", "port=7,,65535"),
    ],
)
def test_what_is_done_anyhow_is_taken_off_and_the_rest_is_the_drivers(
    query: str, kept: str
) -> None:
    assert prepare_url(f"postgresql://a/x?{query}").partition("?")[2] == kept


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("channel_binding=require", "channel_binding cannot be kept as it is: write"),
        ("gssencmode=require", "gssencmode cannot be kept"),
        ("target_session_attrs=standby", "target_session_attrs cannot be kept"),
        ("target_session_attrs=prefer-standby", "write target_session_attrs=read-write"),
        ("target_session_attrs=read-only", "write target_session_attrs=read-write"),
        ("load_balance_hosts=random", "load_balance_hosts cannot be kept"),
        ("sslmode=on", "sslmode must be one of disable, allow, prefer"),
        ("ssl=true", "does not know the parameter ssl: remove it"),
        ("connect_timeout=10", "does not know the parameter connect_timeout"),
        ("pgbouncer=true", "does not know the parameter pgbouncer"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("sslrootcert=/nowhere/root.crt", "sslrootcert: /nowhere/root.crt cannot be read"),
        ("sslcert=/nowhere/me.crt&sslkey=/nowhere/me.key", "sslcert: /nowhere/me.crt cannot"),
        ("port=abc", "port must be a number up to 65535"),
        ("port=70000", "port must be a number up to 65535"),
        ("s3cret@host/name", "%3F (?)"),
        ("s3cret%20=1", "%3F (?)"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_name(query: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"^LETTERBOX_DATABASE_URL: ") as caught:
        prepare_url(f"postgresql://a/x?{query}")
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_certificate_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "root.crt").touch()
    url = f"postgresql://a/x?sslmode=verify-ca&sslrootcert={tmp_path}/root.crt"
    assert prepare_url(url) == url
    assert not wants_system_roots(url)
    assert wants_system_roots("postgresql://a/x?sslrootcert=system")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s3:@cret@a/x", "postgresql://me:********@a/x"),
        ("postgresql://me:s3://cret@a/x", "postgresql://me:********@a/x"),
        (
            "postgresql://a/x?sslpassword=s3cret&port=7",
            "postgresql://a/x?sslpassword=********&port=7",
        ),
    ],
)
def test_a_password_is_shown_nowhere(url: str, shown: str) -> None:
    assert mask_url(url) == shown
