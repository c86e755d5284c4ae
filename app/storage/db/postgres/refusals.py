"""Why no connection to PostgreSQL comes about, and what to do: a line for an operator."""

import errno
import socket
import ssl

import asyncpg

from app.domain.errors import DatabaseAway, LetterboxError, LoginRefused, SetupError
from app.domain.operations.database_url import name_place

SETTING = "LETTERBOX_DATABASE_URL"

# By SQLSTATE, or its class.
_ADVICE = {
    "08": "look at PostgreSQL's log, and at what stands between",
    "3D000": f"create it, or correct the name at the end of {SETTING}",
    "42501": "grant it to this user, or name another one",
    "53": "make room there, or run fewer processes of Letterbox",
    "57P03": "wait until the server has started",
}
_LOGIN_CLASS = "28"


def explain(error: Exception, url: str) -> LetterboxError:
    """What an attempt to connect to `url` met. A SetupError where waiting will not help."""
    place, said = name_place(url), " ".join(str(error).split())
    if "startup parameter" in said:
        return SetupError(
            f"{SETTING}: the pooler there refuses a parameter ({said}): remove it"
            " from the URL, or have the pooler pass over it (pgbouncer: ignore_startup_parameters)"
        )
    if "statement pooling" in said:
        return SetupError(
            f"{SETTING}: the pooler there allows no transactions; set its pool_mode to"
            " transaction or session, or name PostgreSQL itself"
        )
    if isinstance(error, asyncpg.PostgresError):
        return _explain_answer(error, place)
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return DatabaseAway(
            f"the database cannot be used now: {place} takes no writes, as a standby does;"
            f" name the primary in {SETTING}"
        )
    if isinstance(error, OSError):
        return DatabaseAway(f"the database cannot be reached: {_explain_socket(error, place)}")
    return DatabaseAway(f"the database cannot be used now: {describe(error)}; check {SETTING}")


def describe(error: BaseException | None) -> str:
    """Its first line, without secrets; PostgreSQL's further lines (DETAIL) quote rows."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _explain_answer(error: asyncpg.PostgresError, place: str) -> LetterboxError:
    state, line = str(error.sqlstate or ""), describe(error)
    if state.startswith(_LOGIN_CLASS):
        return LoginRefused(
            f"the database at {place} refuses the login: {line}; correct the user name and"
            f" password in {SETTING}, or the server's pg_hba.conf"
        )
    advice = _ADVICE.get(state) or _ADVICE.get(state[:2]) or "look at PostgreSQL's log"
    return DatabaseAway(f"the database at {place} cannot be used now: {line}; {advice}")


def _explain_socket(error: OSError, place: str) -> str:
    said = str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {place} is refused: {error.verify_message}; name its authority's"
            f" file by sslrootcert in {SETTING}, and the host as the certificate names it"
        )
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or said).replace("_", " ").lower()
        return f"no TLS with {place}: {reason}; check sslmode, sslcert and sslkey in {SETTING}"
    if isinstance(error, socket.gaierror):
        return (
            f"the host of {place} cannot be looked up ({error.strerror}); correct it in {SETTING},"
            " or this machine's DNS"
        )
    if "rejected SSL upgrade" in said:
        return (
            f"{place} offers no TLS, or is not PostgreSQL; correct sslmode or the port in {SETTING}"
        )
    if isinstance(error, FileNotFoundError):
        return f"there is no socket at {place}; start PostgreSQL, or correct {SETTING}"
    # Of a host with several addresses, asyncio tells only the text of each attempt.
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in said:
        return (
            f"nothing listens at {place}; start PostgreSQL, or correct host and port in {SETTING}"
        )
    if isinstance(error, TimeoutError):
        return f"{place} does not answer; check {SETTING}, the machine, and firewalls on the way"
    if isinstance(error, ConnectionError):
        return f"{place} ends the connection; look at PostgreSQL's log, or correct {SETTING}"
    return f"{place} ({error.strerror or said}); check {SETTING} and the network"
