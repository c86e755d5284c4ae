"""What all pages share: who is signed in, where forms come from, and how errors are shown."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.domain.access.addresses import CallerFinder
from app.domain.access.credentials import Actor
from app.domain.access.members import Role
from app.domain.errors import LetterboxError, MissingRole, NotFound, Unavailable
from app.domain.ids import LAST_ID
from app.flows.access.hash_passwords import PasswordHashing
from app.flows.access.note_action import note_action
from app.flows.access.sign_in import find_session
from app.runtime import Runtime
from app.storage.access.members import Member, read_member_names
from app.storage.access.sessions import Session
from app.storage.conversations.conversation_lists import (
    ConversationFilter,
    count_conversations,
)
from app.storage.db.database import Connection, Database
from app.web.core.cookies import FLASH, Cookies, FlashKind, read_cookie, read_flash
from app.web.core.errors import describe_error
from app.web.core.forms.form import MAX_FORM_BYTES, Form, read_form, read_query
from app.web.core.navigation import list_groups
from app.web.core.origins import Origins
from app.web.core.rendering.renderer import Renderer
from app.web.core.roles import find_role
from app.web.core.shown_once import COOKIE, LIFE, read_once, write_once

SIGN_IN = "/sign-in"
# Sent by the script when it refreshes a part of a page; such a request gets no flash message.
PART = "x-letterbox-part"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page. `session` is None only on pages that need no sign-in.

    `member_names` are all members' names by id, for what they did. `attention` is how many
    conversations need it, for the menu.
    """

    site: "Site"
    request: Request
    session: Session | None
    member_names: Mapping[int, str] = field(default_factory=dict)
    attention: int = 0

    @property
    def database(self) -> Database:
        return self.site.runtime.database

    @property
    def now(self) -> datetime:
        return self.site.runtime.now()

    @property
    def actor(self) -> Actor:
        """Who does it, in the audit trail and in histories."""
        return Actor(self.signed_in.actor, self.address)

    @property
    def address(self) -> str:
        """The caller's address, as trusted proxies report it."""
        return self.site.find_address(self.request)

    @property
    def signed_in(self) -> Session:
        """The session of a page that needs one."""
        if self.session is None:
            raise RuntimeError("this page is open to everybody")
        return self.session

    @property
    def member(self) -> Member:
        """Who is signed in, on a page that needs it."""
        return self.signed_in.member

    @property
    def is_admin(self) -> bool:
        """Whether an admin is signed in."""
        return self.session is not None and self.session.member.is_admin

    @property
    def region(self) -> str:
        """The region of national numbers that people type."""
        return self.site.runtime.settings.default_region

    @property
    def query(self) -> Form:
        """The address's query, as a filter."""
        return read_query(self.request)

    @property
    def path_id(self) -> int:
        """The `{id:int}` of the page's path. Raises NotFound for one that no row can have."""
        found: int = self.request.path_params["id"]
        if found > LAST_ID:
            raise NotFound("there is nothing with this id")
        return found

    async def note(self, action: str, subject: str) -> None:
        """Note in the audit trail what was done outside the database."""
        await note_action(self.database, action, subject, who=self.actor, now=self.now)

    async def read_form(self, *, max_bytes: int = MAX_FORM_BYTES) -> Form:
        """The form that was sent."""
        return await read_form(self.request, max_bytes=max_bytes)

    def render(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """A page, with the flash message that the last one left."""
        flash = None if PART in self.request.headers else read_flash(self.request)
        page = {
            "root": self.site.root,
            "visit": self,
            "session": self.session,
            "menu_groups": list_groups(is_admin=self.is_admin),
            "path": self.request.scope["path"],
            "flash": flash,
            "now": self.now,
            "is_known_address": self.site.origins.knows(self.request.headers),
        }
        response = HTMLResponse(self.site.renderer.render(template, page | context), status)
        if flash is not None:
            self.site.cookies.forget_note(response, FLASH)
        if _has_left(self):
            self.site.cookies.forget_note(response, COOKIE)
        return response

    def redirect(
        self,
        path: str,
        done: str = "",
        *,
        kind: FlashKind = "done",
        once: Mapping[str, str] | None = None,
    ) -> Response:
        """Redirect to one of our pages after a form, with a flash message.

        `once` are secrets that the page shows, as `shown_once`, until somebody leaves it.
        """
        response = RedirectResponse(self.site.root + path, 303)
        if done:
            self.site.cookies.set_flash(response, kind, done)
        if once:
            secret, session_id = self.site.runtime.secrets.api_key, self.signed_in.id
            sealed = write_once(secret, session_id, path, once, self.now)
            self.site.cookies.set_note(response, COOKIE, sealed, int(LIFE.total_seconds()))
        return response

    @property
    def shown_once(self) -> dict[str, str]:
        """The secrets that this page shows once."""
        secret, path = self.site.runtime.secrets.api_key, self.request.scope["path"]
        cookie = read_cookie(self.request, COOKIE)
        return read_once(secret, self.signed_in.id, path, cookie, self.now)


Handler = Callable[[Visit], Awaitable[Response]]


class Site:
    """Turns handlers into routes; errors become pages."""

    def __init__(self, runtime: Runtime, renderer: Renderer) -> None:
        settings = runtime.settings
        self.runtime = runtime
        self.hashing = PasswordHashing()
        self.origins = Origins(settings.public_url, settings.base_url)
        self.renderer = renderer
        self.caller_finder = CallerFinder(settings.trusted_proxies)
        self.root = settings.root_path
        self.cookies = Cookies(self.root, is_https=self.origins.is_https)

    def get(self, path: str, handler: Handler) -> Route:
        """A page for people who are signed in, in the role that roles.py names for the path."""
        return Route(path, self._guard(handler, find_role(path)), methods=["GET"])

    def post(self, path: str, handler: Handler) -> Route:
        """What a form of ours does, for the same people."""
        return Route(path, self._guard(handler, find_role(path)), methods=["POST"])

    def open_to_all(self, path: str, handler: Handler, method: str = "GET") -> Route:
        """A page or form that needs no session."""
        return Route(path, self._guard(handler, None), methods=[method])

    async def find_session(self, request: Request) -> Session | None:
        """Who is signed in; looked up each time, so that signing out works at once."""
        token = self.cookies.read_session(request)
        if not token:
            return None
        self.check_prepared()
        password = self.runtime.settings.admin_password
        return await find_session(
            self.runtime.database,
            token,
            None if password is None else password.get_secret_value(),
            now=self.runtime.now(),
        )

    async def _find_visit(self, request: Request) -> Visit:
        session = await self.find_session(request)
        if session is None:
            return Visit(self, request, None)
        names, attention = await self.runtime.database.read(_read_shared)
        return Visit(self, request, session, names, attention)

    def check_prepared(self) -> None:
        """Raises Unavailable while the database has not been reached since the start."""
        if not self.runtime.prepared.is_set():
            raise Unavailable("the database has not been reached yet; texts are taken already")

    def find_address(self, request: Request) -> str:
        """The caller's address, as trusted proxies report it."""
        client = request.scope.get("client")
        return self.caller_finder.find(client, request.scope["headers"])

    def _note_proxy(self, request: Request) -> None:
        """Report it when someone comes through a proxy that is not trusted."""
        client = request.scope.get("client")
        unheeded = self.caller_finder.find_unheeded(client, request.scope["headers"])
        if unheeded:
            self.runtime.deferred_writes.on_unheeded(unheeded)

    async def answer_unrouted(self, request: Request, error: Exception) -> Response:
        """The page for an error of the router: no such path, no such method."""
        await self.renderer.prepare()
        try:
            visit = await self._find_visit(request)
        except LetterboxError:
            visit = Visit(self, request, None)
        response = self._show_error(visit, error)
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    def _guard(self, handler: Handler, role: Role | None) -> Callable[..., Awaitable[Response]]:
        """`role` is the least that the handler needs; None: it is open to strangers."""

        async def answer(request: Request) -> Response:
            visit = Visit(self, request, None)
            await self.renderer.prepare()
            try:
                if request.method == "POST":
                    self.origins.check(request.headers)
                visit = await self._find_visit(request)
                if visit.session is not None:
                    self._note_proxy(request)
                elif role is not None:
                    return _ask_to_sign_in(
                        visit, had_session=bool(self.cookies.read_session(request))
                    )
                if role == "admin" and not visit.is_admin:
                    raise MissingRole
                self.check_prepared()
                response = await handler(visit)
            except Exception as error:  # noqa: BLE001 unexpected ones are logged there
                response = self._show_error(visit, error)
            return response

        return answer

    def _show_error(self, visit: Visit, error: Exception) -> Response:
        page, detail = describe_error(error)
        return visit.render("core/error.html", status=int(page.status), page=page, detail=detail)


def _read_shared(conn: Connection) -> tuple[Mapping[int, str], int]:
    """What every page shows: the members' names, and how many conversations need attention."""
    wanted = ConversationFilter(needs="attention")
    return read_member_names(conn), count_conversations(conn, wanted)


def is_own_path(text: str) -> bool:
    """Whether it is a path of this site and cannot lead elsewhere."""
    return (
        text.startswith("/")
        and not text.startswith("//")
        and "\\" not in text
        and text.isprintable()
    )


def _ask_to_sign_in(visit: Visit, *, had_session: bool) -> Response:
    request = visit.request
    path = request.scope["path"] if request.method == "GET" else "/"
    query = request.scope["query_string"].decode("latin-1") if request.method == "GET" else ""
    query = query and f"?{query}"
    wanted = "" if path == "/" and not query else f"?next={quote(path + query, safe='/')}"
    ended = "Your session has ended. Sign in again." if had_session else ""
    return visit.redirect(f"{SIGN_IN}{wanted}", ended, kind="failed")


def _has_left(visit: Visit) -> bool:
    """Whether this is another page than the one that shows a secret once."""
    if PART in visit.request.headers or not read_cookie(visit.request, COOKIE):
        return False
    return visit.session is None or not visit.shown_once
