"""Sends to a list or a group, the background sends they become, and GetBGMessages."""

import json
from dataclasses import replace
from datetime import timedelta

from app.simulator.actions.calls import Answer, Call
from app.simulator.actions.codes import RefusedError
from app.simulator.actions.drafts import Draft, read_draft
from app.simulator.actions.magic import magic_code
from app.simulator.actions.sending import place, send_to_numbers
from app.simulator.state.outgoing import BackgroundSend, OutgoingText

_BACKGROUND_TEXTS = {
    -521: "Unknown Background SendID",
    -522: "Background Send Not Finished",
    -523: "No messages were found",
}
"""As the page's example writes them, which is not quite how its list does."""


def send(call: Call) -> Answer:
    destination = call.text("DestinationAddress").strip().casefold()
    if destination == "list":
        return _send_to_many(call, "ListName", _list_numbers(call))
    if destination == "group":
        return _send_to_many(call, "GroupName", _group_numbers(call))
    return send_to_numbers(call)


def list_background_messages(call: Call) -> Answer:
    """The action GetBGMessages: a JSON array, or an error in the switch's form."""
    try:
        texts = _background_texts(call)
    except RefusedError as refusal:
        if call.switches.background_errors == "plain" or refusal.code not in _BACKGROUND_TEXTS:
            raise
        error = {"error": str(refusal.code), "message": _BACKGROUND_TEXTS[refusal.code]}
        return Answer(json.dumps(error, separators=(",", ":")))
    rename = call.switches.rename_statuses
    words = ((text, text.status(call.now) or "Pending") for text in texts)
    rows = [
        {
            "MessageID": str(text.first_id),
            "Destination": text.destination,
            "Status": rename.get(word, word),
        }
        for text, word in words
    ]
    return Answer(json.dumps(rows, separators=(",", ":")))


def _background_texts(call: Call) -> list[OutgoingText]:
    wanted = call.required("BGSendID")
    _check_magic(call, wanted)
    known = call.world.outgoing.background.values()
    found = next((one for one in known if str(one.number) == wanted), None)
    if found is None or found.username != call.account.username:
        raise RefusedError(-521)
    if call.now < found.finished_at:
        raise RefusedError(-522)
    texts = [text for text in found.texts if not text.gone]
    if not texts:
        raise RefusedError(-523)
    return texts


def _list_numbers(call: Call) -> list[str]:
    name = call.text("ListName").strip()
    if not name:
        raise RefusedError(-410)
    _check_magic(call, name)
    found = call.world.books.lists.get((call.account.username, name))
    if found is None:
        raise RefusedError(call.switches.unknown_list_code)
    if not found.entries:
        raise RefusedError(-408)
    return [entry.number for entry in found.entries]


def _group_numbers(call: Call) -> list[str]:
    name = call.text("GroupName").strip()
    if not name:
        raise RefusedError(-414)
    _check_magic(call, name)
    members = call.world.books.of(call.account.username).groups.get(name)
    if members is None:
        raise RefusedError(call.switches.unknown_group_code)
    if not members:
        raise RefusedError(-409)
    return [contact.number for contact in members]


def _check_magic(call: Call, name: str) -> None:
    if call.switches.magic_numbers and (code := magic_code(name)):
        raise RefusedError(code)


def _send_to_many(call: Call, name_parameter: str, numbers: list[str]) -> Answer:
    draft = read_draft(call)
    switches = call.switches
    total = sum(draft.cost(number, switches.foreign_cost) for number in numbers)
    if call.account.credits < total:
        raise RefusedError(-100)
    in_background = len(numbers) > switches.background_threshold
    pace = 1 / switches.background_per_second if in_background else 0.0
    ids = call.world.outgoing.reserve_background(switches.background_ids)
    failed = 0
    for turn, background_id in enumerate(ids):
        share = numbers[turn :: len(ids)]
        texts = _place_all(call, replace(draft, background_id=background_id), share, pace)
        failed += len(share) - len(texts)
        call.world.outgoing.background[background_id] = BackgroundSend(
            number=background_id,
            username=call.account.username,
            name=call.text(name_parameter).strip(),
            started_at=call.now,
            finished_at=call.now + timedelta(seconds=pace * len(share)),
            texts=tuple(texts),
        )
    if failed and not in_background:
        raise RefusedError(-400)
    return Answer(",".join(map(str, ids)) if call.is_set("GetBGSendID") else "1")


def _place_all(call: Call, draft: Draft, numbers: list[str], pace: float) -> list[OutgoingText]:
    """Accept what can be accepted, one every `pace` seconds; skip what is refused."""
    texts = []
    for index, number in enumerate(numbers):
        taken_at = call.now + timedelta(seconds=pace * index)
        try:
            texts.append(place(call, draft, number, taken_at))
        except RefusedError:
            continue
    return texts
