"""The audit trail in sentences: what each action is called, and what it says of one entry.

`tests/web/access/test_audit.py` finds actions in the code that have no sentence here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from app.domain.numbers import write_number
from app.storage.access.audit import AuditEntry


class Action(NamedTuple):
    """`label` is for a menu. `sentence` follows the name of who did it; in braces are the entry's
    `subject` and what its detail has, and `name` is what the subject is called.
    """

    label: str
    sentence: str


ACTIONS: Mapping[str, Action] = {
    "batch.cancel": Action("Batch cancelled", "cancelled what waited of a batch"),
    "batch.send": Action("Batch sent", "sent a batch"),
    "contact.save": Action("Contact saved", "saved the contact {subject}"),
    "contacts.delete-all": Action("Contacts deleted", "deleted all contacts"),
    "contacts.import": Action("Contacts imported", "imported contacts"),
    "conversation.assign": Action("Conversation assigned", "assigned a conversation"),
    "conversation.done": Action("Conversation done", "marked a conversation as done"),
    "conversation.note": Action("Note written", "wrote a note in a conversation"),
    "conversation.open": Action("Conversation reopened", "opened a conversation again"),
    "first-steps.dismiss": Action("First steps hidden", "hid the list of first steps"),
    "group.delete": Action("Group deleted", "deleted the group {subject}"),
    "group.empty": Action("Group emptied", "emptied the group {subject}"),
    "groups.delete-all": Action("Groups deleted", "deleted all groups"),
    "inbound-auth.show": Action("Shared auth value shown", "looked at the shared auth value"),
    "key.change": Action("API key changed", "changed the API key {name}"),
    "key.create": Action("API key created", "created the API key {name}"),
    "key.revoke": Action("API key revoked", "revoked the API key {name}"),
    "member.activate": Action("Member activated", "let {name} sign in again"),
    "member.add": Action("First sign-in", "joined as an admin"),
    "member.deactivate": Action("Member deactivated", "deactivated {name}"),
    "member.invite": Action("Member invited", "invited {name}"),
    "member.link": Action("Link for a member", "created a link for {name} to choose a password"),
    "member.login-link": Action("Sign-in link", "created a link that signs in {subject}"),
    "member.password": Action("Password chosen", "chose a password"),
    "member.rename": Action("Member renamed", "renamed {name} to {new}"),
    "member.role": Action("Role changed", "gave {name} the role {role}"),
    "message.remove": Action("Message deleted", "deleted a message for good"),
    "message.replay": Action("Message reprocessed", "reprocessed a message"),
    "notify.add": Action("Notification address added", "added the notification address {subject}"),
    "notify.change": Action(
        "Notification address changed", "changed what the notification address {subject} gets"
    ),
    "notify.disable": Action(
        "Notification address turned off", "turned off the notification address {subject}"
    ),
    "notify.enable": Action(
        "Notification address turned on", "turned on the notification address {subject}"
    ),
    "notify.remove": Action(
        "Notification address removed", "removed the notification address {subject}"
    ),
    "notify.test": Action("Test notification", "sent a test notification to {subject}"),
    "number.add": Action("Number added", "added the number {number}"),
    "number.change": Action("Number changed", "changed the number {number}"),
    "number.erase": Action("Number erased", "erased the number that ends in {subject}"),
    "number.remove": Action("Number removed", "removed the number {number}"),
    "number.rotate-auth": Action("Auth value renewed", "created an auth value for {number}"),
    "opt-out.add": Action("Opt-out added", "opted out {number}"),
    "opt-out.remove": Action("Opt-out removed", "removed the opt-out of {number}"),
    "outbound.attend": Action("Failed text dealt with", "dealt with a failed text"),
    "outbound.cancel": Action("Text cancelled", "cancelled a text"),
    "outbound.change": Action("Scheduled text changed", "changed a scheduled text"),
    "outbound.create": Action("Text written", "wrote a text"),
    "outbound.resolve": Action("Text resolved", "resolved an uncertain text"),
    "person.change": Action("Person changed", "changed what is known of {number}"),
    "person.export": Action("Person exported", "exported all that is stored about {number}"),
    "person.remove": Action("Person removed", "removed what was known of {number}"),
    "provider.cancel": Action("Text cancelled at the provider", "cancelled the text {subject}"),
    "reconcile.run": Action("Report compared", "compared messages with the provider's report"),
    "rule.change": Action("Rule changed", "changed the rule {name}"),
    "rule.create": Action("Rule created", "created the rule {name}"),
    "rule.remove": Action("Rule removed", "removed the rule {name}"),
    "saved-reply.change": Action("Saved reply changed", "changed the saved reply {name}"),
    "saved-reply.create": Action("Saved reply created", "created the saved reply {name}"),
    "saved-reply.remove": Action("Saved reply removed", "removed the saved reply {name}"),
    "sender.pause": Action("Sending paused", "paused sending"),
    "sender.resume": Action("Sending resumed", "resumed sending"),
    "session.begin": Action("Signed in", "signed in"),
    "session.end": Action("Signed out", "signed out {subject}"),
    "session.end_all": Action("Signed out everywhere", "signed out {subject} everywhere"),
    "session.fail": Action("Wrong password", "tried to sign in as {subject} with a wrong password"),
    "user.create": Action("Child user created", "created the child user {subject}"),
    "user.credits": Action("Credits moved", "moved credits to the child user {subject}"),
    "webhook.add": Action("Webhook added", "added a webhook"),
    "webhook.change": Action("Webhook changed", "changed a webhook"),
    "webhook.disable": Action("Webhook turned off", "turned off a webhook"),
    "webhook.enable": Action("Webhook turned on", "turned on a webhook"),
    "webhook.remove": Action("Webhook removed", "removed a webhook"),
    "webhook.replay": Action("Deliveries repeated", "had deliveries of a webhook repeated"),
    "webhook.rotate-secret": Action("Webhook secret renewed", "created a secret for a webhook"),
    "webhook.test": Action("Webhook tested", "tested a webhook"),
}
# Said in the sentence already.
_SAID = {"name", "new", "role"}
# Details that are phone numbers, or names of senders.
_NUMBERS = {"to", "source", "dest"}
# Details that have a better name than their field's.
_FIELDS = {
    "old_ends_at": "the old value ends",
    "opt_out_reply": "reply to opt-outs",
    "was": "it was",
    "by": "by",
    "to": "to",
    "count": "number of texts",
    "forced": "in spite of an opt-out",
    "merge_field_names": "names of merge fields",
    "cooldown_seconds": "seconds between replies to one sender",
}


class _Parts(dict[str, str]):
    """What a sentence is filled with; the subject stands for what an old entry does not tell."""

    def __missing__(self, key: str) -> str:
        return self["subject"]


def write_sentence(entry: AuditEntry, names: Mapping[int, str]) -> str:
    """What was done, to follow the name of who did it; an unknown action as its code.

    `names` are the members' by id.
    """
    action = ACTIONS.get(entry.action)
    if action is None:
        return f"{entry.action} {entry.subject}"
    if entry.action == "session.end" and not _is_of_another(entry):
        return "signed out"
    if entry.action == "conversation.assign":
        whom = names.get(entry.detail.get("to") or 0, "nobody")
        return f"{action.sentence} to {whom}"
    told = {name: str(entry.detail[name]) for name in _SAID if entry.detail.get(name)}
    # Only that it was done is kept of an old entry.
    subject = entry.subject or "(no longer kept)"
    parts = {**told, "subject": subject, "number": write_number(subject)}
    return action.sentence.format_map(_Parts(parts))


def name_action(code: str) -> str:
    """An action for a menu."""
    action = ACTIONS.get(code)
    return code if action is None else action.label


def describe_detail(entry: AuditEntry) -> list[str]:
    """What else the entry says, for people: `permissions: admin`."""
    found = []
    for name, value in entry.detail.items():
        if name == "changes" and isinstance(value, Mapping):
            found += [
                f"{_name_field(each)}: {_describe(pair[0])} → {_describe(pair[1])}"
                for each, pair in value.items()
            ]
        elif (entry.action, name) == ("conversation.assign", "to"):
            continue
        elif (entry.action, name) == ("outbound.change", "changed"):
            found.append(_describe(value))
        elif name in _NUMBERS and isinstance(value, str) and value:
            found.append(f"{_name_field(name)}: {write_number(_describe(value))}")
        elif name not in _SAID and value not in (None, "", [], {}):
            found.append(f"{_name_field(name)}: {_describe(value)}")
    return found


def _is_of_another(entry: AuditEntry) -> bool:
    return bool(entry.detail.get("of_another"))


def _name_field(name: str) -> str:
    return _FIELDS.get(name, name.replace("_", " "))


def _describe(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_describe, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_describe(each)}" for name, each in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "") else _describe_text(str(value))


def _describe_text(text: str) -> str:
    """A time as people read it, any other text as it is."""
    if not text[:4].isdigit() or "T" not in text:
        return text
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{when:%-d %b %Y, %H:%M} {when.tzname() or ''}".rstrip()
