"""The application that serves the pages."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.domain.errors import NotFound
from app.runtime import Runtime
from app.web.access.account import make_account_routes
from app.web.access.audit import make_audit_routes
from app.web.access.keys import make_key_routes
from app.web.access.members import make_member_routes
from app.web.access.numbers import make_number_routes
from app.web.access.sign_in import make_sign_in_routes
from app.web.conversations.contacts import make_contact_routes
from app.web.conversations.conversation import make_conversation_routes
from app.web.conversations.drafts import make_draft_routes
from app.web.conversations.first_steps import make_first_steps_routes
from app.web.conversations.inbox import make_inbox_routes
from app.web.conversations.inbox_csv import make_inbox_csv_routes
from app.web.conversations.people import make_people_routes
from app.web.conversations.search import make_search_routes
from app.web.conversations.sharing import make_sharing_routes
from app.web.conversations.unread import make_unread_routes
from app.web.core.live import RECHECK_SECONDS, make_live_routes
from app.web.core.rendering.renderer import Renderer
from app.web.core.site import Site
from app.web.operations.alerts import make_notice_routes
from app.web.operations.erasures import make_erasure_routes
from app.web.operations.notifications import make_notification_routes
from app.web.operations.overview import make_overview_routes
from app.web.operations.reports import make_report_routes
from app.web.outbound.batch_form import make_batch_form_routes
from app.web.outbound.batches import make_batch_routes
from app.web.outbound.compose import make_compose_routes
from app.web.outbound.outbox import make_outbox_routes
from app.web.outbound.saved_replies import make_saved_reply_routes
from app.web.outbound.scheduled import make_scheduled_routes
from app.web.outbound.texts import make_text_routes
from app.web.outbound.writing import make_writing_routes
from app.web.rules.opt_outs import make_opt_out_routes
from app.web.rules.rules import make_rule_routes
from app.web.webhooks.webhooks import make_webhook_routes


class Pages:
    """All paths that are not the REST interface's.

    `paths` are those of pages, with their parameters in braces. `renderer` may be shared with
    another application.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        renderer: Renderer | None = None,
        recheck_seconds: float = RECHECK_SECONDS,
    ) -> None:
        site = Site(runtime, renderer or Renderer(runtime.settings.zone))

        async def serve_asset(request: Request) -> Response:
            return await site.renderer.assets.serve(request)

        routes = [
            *make_inbox_routes(site),
            *make_inbox_csv_routes(site),
            *make_outbox_routes(site),
            *make_compose_routes(site),
            *make_batch_form_routes(site),
            *make_batch_routes(site),
            *make_scheduled_routes(site),
            *make_saved_reply_routes(site),
            *make_conversation_routes(site),
            *make_sharing_routes(site),
            *make_people_routes(site),
            *make_search_routes(site),
            *make_first_steps_routes(site),
            *make_draft_routes(site),
            *make_unread_routes(site),
            *make_text_routes(site),
            *make_writing_routes(site),
            *make_overview_routes(site),
            *make_number_routes(site),
            *make_opt_out_routes(site),
            *make_contact_routes(site),
            *make_report_routes(site),
            *make_notice_routes(site),
            *make_notification_routes(site),
            *make_key_routes(site),
            *make_webhook_routes(site),
            *make_erasure_routes(site),
            *make_audit_routes(site),
            *make_member_routes(site),
            *make_account_routes(site),
            *make_rule_routes(site),
            *make_sign_in_routes(site),
            *make_live_routes(site, recheck_seconds=recheck_seconds),
            Route("/static/{digest}/{name}", serve_asset),
        ]
        self.routes = routes
        self.paths = tuple(route.path for route in routes if "GET" in (route.methods or ()))

        async def answer_no_id(request: Request, _: Exception) -> Response:
            # An id of thousands of digits, which the router cannot convert to a number.
            return await site.answer_unrouted(request, NotFound("there is nothing with this id"))

        handlers = {
            HTTPException: site.answer_unrouted,
            NotFound: site.answer_unrouted,
            ValueError: answer_no_id,
        }
        self._app = Starlette(routes=routes, exception_handlers=handlers)
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
