"""The requests to an archive: lists of the REST API and pages, named for the table."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from benchmarks.archive import archive
from benchmarks.client import AnsweredOddlyError, Client

MESSAGES = "/api/v1/messages"
CONVERSATIONS = "/api/v1/conversations"


@dataclass(frozen=True, slots=True)
class Question:
    """A GET by its path. A search is followed, by `next`, as a person would who wants more."""

    name: str
    path: str
    is_search: bool = False


def make_questions(client: Client, rows: int) -> list[Question]:
    """For an archive of so many rows; the client fetches what stands in them as ids and cursors."""
    return [
        *_ask_messages(client, rows),
        *_ask_conversations(client, rows),
        *_ask_pages(client, rows),
        *_ask_searches(),
    ]


def _ask_messages(client: Client, rows: int) -> list[Question]:
    sender = archive.make_sender(rows // archive.TEXTS_OF_A_SENDER // 2)
    middle = archive.tell_time(rows // 2)
    until = {"until": _show(middle)}
    older = client.get(f"{MESSAGES}?{urlencode(until)}")
    deep = until | {"cursor": older["next"]}
    day = {"since": _show(middle - timedelta(hours=1))} | until
    return [
        Question("newest page", MESSAGES),
        Question("newest page of 500", _make_path(limit="500")),
        Question("next page, from the middle of all", f"{MESSAGES}?{urlencode(deep)}"),
        Question("feed (order=asc), from the middle", _make_path(order="asc", since=_show(middle))),
        Question("one message", f"{MESSAGES}/{older['items'][0]['id']}"),
        Question("since and until, an hour", f"{MESSAGES}?{urlencode(day)}"),
        Question("source", _make_path(source=sender.source)),
        Question("dest", _make_path(dest=sender.dest)),
        Question("source and dest", _make_path(source=sender.source, dest=sender.dest)),
        Question("problem, 1 in 100", _make_path(problem=archive.PROBLEM)),
        Question("problem, 1 in 500", _make_path(problem=archive.RARE_PROBLEM)),
        Question("unread", _make_path(unread="true")),
        Question("via", _make_path(via="report")),
        Question("mm.name that nobody has", f"{MESSAGES}?mm.name=nobody"),
    ]


def _ask_conversations(client: Client, rows: int) -> list[Question]:
    sender = archive.make_sender(rows // archive.TEXTS_OF_A_SENDER // 2)
    one = client.get(f"{CONVERSATIONS}?source={sender.source}")["items"][0]["id"]
    return [
        Question("conversations", CONVERSATIONS),
        Question("conversations, dest", f"{CONVERSATIONS}?dest={sender.dest}"),
        Question("conversations, unread", f"{CONVERSATIONS}?unread=true"),
        Question("a conversation's thread", f"{CONVERSATIONS}/{one}"),
    ]


def _ask_pages(client: Client, rows: int) -> list[Question]:
    """As a browser asks for them; a part of a name is looked for in the newest conversations."""
    sender = archive.make_sender(rows // archive.TEXTS_OF_A_SENDER // 2)
    found = client.get(f"/?{urlencode({'q': sender.source})}")
    path = re.search(r'href="(/conversations/\d+)"', found)
    if path is None:
        raise AnsweredOddlyError("the inbox does not find a sender by number")
    return [
        Question("page: the inbox", "/"),
        Question("page: the inbox, a number", f"/?number={sender.dest}"),
        Question("page: the inbox, unread", "/?view=unread"),
        Question("page: the inbox, problems", "/?view=problems"),
        Question("page: a conversation", path[1]),
    ]


def _ask_searches() -> list[Question]:
    words = {
        "q, 1 text in 5": archive.COMMON,
        "q, 1 in 1,000": archive.MEDIUM,
        f"q, {archive.RARE_TIMES} texts in all": archive.RARE,
        "q, two words": f"{archive.COMMON} {archive.MEDIUM}",
        "q, in no text, its trigrams in many": archive.ABSENT,
        "q, two letters in no text": "qz",
    }
    return [Question(name, _make_path(q=text), is_search=True) for name, text in words.items()]


def _make_path(**parameters: str) -> str:
    return f"{MESSAGES}?{urlencode(parameters)}"


def _show(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
