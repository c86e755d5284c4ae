"""Reads JSON strictly: what is ambiguous is refused."""

import json
from collections import Counter
from collections.abc import Sequence
from email.message import Message
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

JSON = "application/json"
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})


class StrictRequest(Request):
    """A request whose JSON is read by `parse_json`."""

    async def json(self) -> Any:
        return parse_json(await self.body())


def parse_json(data: bytes) -> Any:
    """The value; 60.0 is an integer, as JSON Schema has it. Raises HTTPException 400."""
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_make_object,
            parse_float=_read_float,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise _refuse(f"it is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _refuse(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise _refuse("it is nested too deeply") from None
    except ValueError:
        raise _refuse("a number has too many digits") from None


def check_media_type(request: Request, *accepted: str) -> None:
    """Raises HTTPException 415 for a body of another type, in another charset, or compressed.

    Errors name the first type that is accepted; without any it is JSON.
    """
    media_type, *others = accepted or (JSON,)
    told = Message()
    told["content-type"] = request.headers.get("content-type", "")
    sent = told.get_content_type()
    is_alike = media_type == JSON and sent.startswith("application/") and sent.endswith("+json")
    if sent not in {media_type, *others} and not is_alike:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send the body with Content-Type: {media_type}"
        )
    charset = str(told.get_param("charset", "")).lower()
    if charset not in _CHARSETS:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body in UTF-8")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "send the body without Content-Encoding",
            {"Accept-Encoding": "identity"},
        )


def _make_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise _refuse(f"the field {json.dumps(repeated[:100])} is there twice in one object")
    return made


def _read_float(digits: str) -> float | int:
    number = float(digits)
    return int(number) if number.is_integer() else number


def _refuse_constant(name: str) -> Any:
    raise _refuse(f"{name} is not a number in JSON")


def _refuse(text: str) -> HTTPException:
    return HTTPException(HTTPStatus.BAD_REQUEST, f"the body is not valid JSON: {text}")
