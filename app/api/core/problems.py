"""The kinds of problems that the interface answers with (RFC 9457), each with a page of advice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

PROBLEMS_PATH = "/problems"
RETRY_AFTER_SECONDS = 5
PROVIDER_RETRY_SECONDS = 60
REALM = 'Bearer realm="letterbox"'


@dataclass(frozen=True, slots=True, eq=False)
class ProblemKind:
    """`slug` ends the problem's `type`, which is stable for programs.

    `advice` is the text of the page at `type`: what to do.
    """

    status: HTTPStatus
    slug: str
    title: str
    advice: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return f"{PROBLEMS_PATH}/{self.slug}"


UNREADABLE = ProblemKind(
    HTTPStatus.BAD_REQUEST,
    "unreadable",
    "The request cannot be read",
    "Send valid JSON in UTF-8, each field of an object once. `detail` says where it is wrong.",
)
INVALID_INPUT = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid-input",
    "The request holds something wrong",
    "`errors` names each field or parameter that is wrong, with a code for programs. Correct them"
    " and send the request again; nothing was done.",
)
INVALID_CURSOR = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid-cursor",
    "The cursor does not fit the query",
    "A cursor belongs to one list with one set of filters. Begin again without it.",
)
UNAUTHORIZED = ProblemKind(
    HTTPStatus.UNAUTHORIZED,
    "unauthorized",
    "A valid key is needed",
    "Send `Authorization: Bearer <key>` with a key that has not been revoked.",
    {"WWW-Authenticate": REALM},
)
FORBIDDEN = ProblemKind(
    HTTPStatus.FORBIDDEN,
    "forbidden",
    "The key lacks a scope",
    "Use a key with the scope that `detail` names, or have it added to this key.",
)
NOT_NEAR = ProblemKind(
    HTTPStatus.FORBIDDEN,
    "not-a-monitor",
    "This address is not in MONITOR_NETWORKS",
    "Ask from a network in LETTERBOX_MONITOR_NETWORKS, or add yours to it.",
)
NOT_FOUND = ProblemKind(
    HTTPStatus.NOT_FOUND,
    "not-found",
    "There is no such thing",
    "Check the path and the id, number or name in it; what it named may have been removed.",
)
CONFLICT = ProblemKind(
    HTTPStatus.CONFLICT,
    "conflict",
    "The state of things forbids it",
    "Read the resource again: it exists already, or is not in a state for this.",
)
CHANGED = ProblemKind(
    HTTPStatus.PRECONDITION_FAILED,
    "changed",
    "It has changed since it was read",
    "Somebody changed it in the meantime, so nothing was done. Read it again, apply your change to"
    " what it is now, and send that with its new ETag.",
)
REUSED_KEY = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency-key-reused",
    "The Idempotency-Key came with another request before",
    "Make a new key for each request, and repeat a request exactly as it was.",
)
IN_FLIGHT = ProblemKind(
    HTTPStatus.CONFLICT,
    "in-flight",
    "The first request with this Idempotency-Key is not done yet",
    "Repeat the request after a moment: it then gets the first one's answer.",
    {"Retry-After": "1"},
)
UNAVAILABLE = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable",
    "It cannot be done now",
    "Repeat the request after `Retry-After` seconds. Messages are taken all the same.",
    {"Retry-After": str(RETRY_AFTER_SECONDS)},
)
METHOD_NOT_ALLOWED = ProblemKind(
    HTTPStatus.METHOD_NOT_ALLOWED,
    "method-not-allowed",
    "The path has other methods",
    "The header `Allow` lists the methods of the path.",
)
UNSUPPORTED_TYPE = ProblemKind(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported-media-type",
    "The body has another type",
    "Send the body with the Content-Type that `detail` names, in UTF-8 and not compressed.",
)
TOO_LARGE = ProblemKind(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "too-large",
    "The body is too large",
    "A body may have 256 KiB. Send it in several requests.",
)
TOO_MANY = ProblemKind(
    HTTPStatus.TOO_MANY_REQUESTS,
    "too-many-requests",
    "Too much is being asked for at once",
    "Wait until one of your other requests has ended, and ask for less at once.",
    {"Retry-After": str(PROVIDER_RETRY_SECONDS)},
)
NOT_FINISHED = ProblemKind(
    HTTPStatus.CONFLICT,
    "not-finished",
    "The provider has not finished it",
    "Repeat the request after `Retry-After` seconds.",
    {"Retry-After": str(PROVIDER_RETRY_SECONDS)},
)
NO_PROVIDER = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "no-provider",
    "No account of the provider is set up",
    "Set LETTERBOX_PROVIDER_TOKEN and restart.",
)
PROVIDER_REFUSED = ProblemKind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "provider-refused",
    "The provider refuses it",
    "`code` and `text` are the provider's own. Nothing was done.",
)
PROVIDER_ACCOUNT = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "provider-account",
    "The provider's account is not in order",
    "Look at the account in the provider's pages: credits, token, licence. `text` says which.",
)
PROVIDER_AWAY = ProblemKind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "provider-unavailable",
    "The provider cannot be asked now; nothing was done",
    "Repeat the request after `Retry-After` seconds.",
    {"Retry-After": str(PROVIDER_RETRY_SECONDS)},
)
PROVIDER_UNCLEAR = ProblemKind(
    HTTPStatus.BAD_GATEWAY,
    "provider-unclear",
    "The provider gave no clear answer, and may have done it",
    "Look at the provider whether it was done before you ask for it again.",
)
INTERNAL = ProblemKind(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal-error",
    "Letterbox failed; its log says how",
    "Look for `request_id` in the log, and report the error that stands there.",
)
