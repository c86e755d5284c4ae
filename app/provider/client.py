"""The client of the provider's API: one method for each action of its page."""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Self, TypeVar
from zoneinfo import ZoneInfo

import httpx2

from app.domain.errors import SettingsError
from app.domain.outbound.gsm import measure_text
from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.statuses import ProviderStatus
from app.domain.provider_errors import CodeError, EmptyAnswer, ProviderError
from app.provider import answers, calls, contacts, wire
from app.provider.actions import (
    AddressBook,
    BackgroundMessage,
    BackgroundSend,
    Contact,
    Group,
    ImportedLine,
    Named,
    NewContact,
    NewUser,
    NumberAnswer,
)
from app.provider.codes import UNKNOWN_ACTION
from app.provider.exchange import Exchange, Pool, Timeouts
from app.provider.quoting import make_hider
from app.provider.tables import Table, open_table
from app.provider.wire import Form

# Most answers are one line; an address book may be long.
_LONGEST_ANSWER = 1 << 20
_LONGEST_BOOK = 1 << 26

# Called with the action of every answer, and with the error of a failure.
OnAnswer = Callable[[str, ProviderError | None], None]

Answer = TypeVar("Answer")
Row = TypeVar("Row")


class ProviderClient:
    """Calls the provider.

    Every method raises InvalidInput, before anything is sent, for input that the provider would
    reject as malformed, and ProviderError for a failed call: its `outcome` says whether it was
    taken, its `error_class` what to do. If a method returns, the call was certainly taken. Nothing
    is retried here.

    `zone` is that of the provider's times. `concurrency` limits simultaneous calls. `on_answer`, if
    set, is called with every answer. `tls` replaces the system's certificates, `pool` the
    network. Close it with `aclose`, or use it as a context manager. Raises SettingsError for an
    unusable URL or token.
    """

    def __init__(
        self,
        token: str,
        *,
        url: str,
        zone: ZoneInfo,
        timeouts: Timeouts | None = None,
        concurrency: int = 8,
        tls: ssl.SSLContext | None = None,
        pool: Pool | None = None,
    ) -> None:
        self._token = _check_token(token)
        self._zone = zone
        self.on_answer: OnAnswer = lambda _action, _error: None
        # The name that the provider knows, by the action's first name.
        self._names: dict[str, str] = {}
        self._exchange = Exchange(
            _check_url(url),
            token,
            timeouts=timeouts or Timeouts(),
            concurrency=concurrency,
            tls=tls,
            pool=pool,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def fault(self) -> str:
        """Why no call can be made at all, if that is known; else ""."""
        return self._exchange.fault

    async def aclose(self) -> None:
        """Close the connections; calls in progress break."""
        await self._exchange.aclose()

    # Messages

    async def check_credits(self) -> Decimal:
        """The balance in credits."""
        return await self._ask(calls.form_balance(), wire.read_balance)

    async def check_message_status(self, message_id: str) -> ProviderStatus:
        """The status of one message, or of one part of it."""
        return await self._ask(calls.form_status(message_id), wire.read_status_word)

    async def send(self, text: OutgoingText, number: str) -> tuple[str, ...]:
        """Send to one number (digits alone); returns the id of each part."""
        return await self._ask(calls.form_send(text, [number], self._zone), answers.read_sent)

    async def send_many(
        self, text: OutgoingText, numbers: Sequence[str]
    ) -> tuple[NumberAnswer, ...]:
        """Send to several numbers in one call; returns their answers in the same order.

        Raises CountMismatch, with the ids and codes that came, if the answers cannot be matched to
        the numbers. A code for the whole call is raised.
        """
        parts = len(measure_text(text.body).parts)
        return await self._ask(
            calls.form_send(text, numbers, self._zone),
            lambda body: answers.read_many_sent(body, numbers, parts),
        )

    async def send_to_named(self, text: OutgoingText, kind: Named, name: str) -> BackgroundSend:
        """Send to a distribution list, or to a group of the address book."""
        form = calls.form_send_to_named(text, kind, name, self._zone)
        return await self._ask(form, answers.read_background_send)

    async def cancel_message(self, message_id: str) -> None:
        """Cancel a scheduled message; -503 means that it is sent, not ours, or unknown."""
        await self._ask_by_any_name(
            calls.CANCEL_ACTIONS,
            lambda action: calls.form_cancel(message_id, action),
            wire.read_done,
        )

    async def get_background_messages(self, background_id: str) -> tuple[BackgroundMessage, ...]:
        """The messages of a send to a list or group; -522 means to ask again later."""
        return await self._ask_by_any_name(
            calls.BACKGROUND_MESSAGES_ACTIONS,
            lambda action: calls.form_background_messages(background_id, action),
            answers.read_background_messages,
        )

    # Reports

    @asynccontextmanager
    async def open_report(
        self,
        report_type: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        is_handed_on: bool = False,
    ) -> AsyncIterator[Table]:
        """Open a report of any type that the account has; its rows are read as they come.

        `since` and `until` are aware times; only Outbox needs none. The window may be wider than
        asked, see `format_window`. Errors are raised on entering, or between rows if it breaks off.
        `is_handed_on`: the rows go to somebody who may read them slowly.
        """
        form = calls.form_report(report_type, since, until, self._zone)
        try:
            async with (
                self._exchange.stream(form, is_handed_on=is_handed_on) as chunks,
                open_table(chunks) as table,
            ):
                yield table
        except ProviderError as error:
            error.hide(self._make_hider(form))
            self.on_answer(form.action, error)
            raise
        self.on_answer(form.action, None)

    # Users

    async def create_user(self, user: NewUser) -> None:
        """Create a child user; an error's `details` say what is wrong with which field."""
        await self._ask(calls.form_create_user(user), wire.read_done)

    async def update_credits(self, username: str, quantity: Decimal) -> None:
        """Give credits to a child user, or take them back where `quantity` is below 0."""
        await self._ask(calls.form_update_credits(username, quantity), wire.read_done)

    # Contacts and groups

    async def import_contacts(
        self,
        new_contacts: Sequence[NewContact],
        *,
        ignore_duplicates: bool = False,
        overwrite_duplicates: bool = False,
    ) -> tuple[ImportedLine, ...]:
        """Add contacts; returns the results by each contact's line, counted from 1.

        Duplicates of a name or number are refused unless ignored. Overwriting wins over ignoring:
        it replaces a known number, and adds a contact where a name is known under another number.
        """
        form = calls.form_import_contacts(
            new_contacts,
            ignore_duplicates=ignore_duplicates,
            overwrite_duplicates=overwrite_duplicates,
        )
        count = len(new_contacts)
        return await self._ask(
            form, lambda body: answers.read_import(body, count), max_bytes=_LONGEST_BOOK
        )

    async def get_all_contacts(self) -> AddressBook[Contact]:
        """Every contact of the address book."""
        form = Form(calls.GET_CONTACTS_ACTION)
        return await self._ask_book(form, contacts.read_contacts)

    async def get_all_groups(self) -> AddressBook[Group]:
        """Every contact group."""
        form = Form(calls.GET_GROUPS_ACTION)
        return await self._ask_book(form, contacts.read_groups)

    async def delete_all_contacts(self) -> None:
        """Delete every contact, for good."""
        await self._ask(Form("DeleteAllContacts"), wire.read_done)

    async def delete_all_groups(self) -> None:
        """Delete every group, for good."""
        await self._ask(Form("DeleteAllGroups"), wire.read_done)

    async def empty_group(self, name: str) -> None:
        """Remove all contacts from a group."""
        await self._ask(calls.form_group("EmptyGroup", name), wire.read_done)

    async def delete_group(self, name: str) -> None:
        """Delete a group."""
        await self._ask(calls.form_group("DeleteGroup", name), wire.read_done)

    async def _ask(
        self, form: Form, read: Callable[[str], Answer], *, max_bytes: int = _LONGEST_ANSWER
    ) -> Answer:
        try:
            answer = read(wire.read_body(await self._exchange.fetch(form, max_bytes=max_bytes)))
        except ProviderError as error:
            error.hide(self._make_hider(form))
            self.on_answer(form.action, error)
            raise
        self.on_answer(form.action, None)
        return answer

    async def _ask_book(
        self, form: Form, read: Callable[[str], AddressBook[Row]]
    ) -> AddressBook[Row]:
        """The answer for an empty address book may be empty."""
        try:
            return await self._ask(form, read, max_bytes=_LONGEST_BOOK)
        except EmptyAnswer:
            return AddressBook(None, ())

    async def _ask_by_any_name(
        self, names: Sequence[str], make_form: Callable[[str], Form], read: Callable[[str], Answer]
    ) -> Answer:
        """Make a call whose action may have one of several names; remember the one that works."""
        known = self._names.get(names[0])
        for name in names if known is None else (known,):
            self._names[names[0]] = name
            try:
                return await self._ask(make_form(name), read, max_bytes=_LONGEST_BOOK)
            except CodeError as error:
                if error.code != UNKNOWN_ACTION:
                    raise
                failure = error
        del self._names[names[0]]
        raise failure

    def _make_hider(self, form: Form) -> Callable[[str], str]:
        return make_hider((self._token, *form.secrets))


def _check_token(token: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(
            "The provider's token is missing or mistyped: copy it from NetMessenger's settings"
        )
    return token


def _check_url(text: str) -> httpx2.URL:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise SettingsError(f"The provider's URL {text!r} is no http or https address")
    return url
