"""From a call's parameters to its answer: token, state, action, magic, ShowErrorMessage."""

from collections.abc import Mapping

from app.simulator.actions import contacts, messages, users
from app.simulator.actions.calls import Action, Answer, Call, shows_errors
from app.simulator.actions.codes import RefusedError
from app.simulator.actions.contact_import import import_contacts
from app.simulator.actions.distribution import list_background_messages, send
from app.simulator.actions.magic import magic_code, magic_fault
from app.simulator.actions.phones import read_destination
from app.simulator.actions.reports import make_report
from app.simulator.state.faults import Fault
from app.simulator.state.switches import Switches
from app.simulator.state.world import World

_MAGIC_PARAMETERS = ("MessageID", "ChildUsername", "Telephone", "Group", "ReportType")


def answer_call(world: World, parameters: Mapping[str, str]) -> Answer:
    try:
        return _act(world, parameters)
    except RefusedError as refusal:
        lines = [str(refusal.code)]
        if shows_errors(parameters, world.switches):
            lines.append(refusal.text)
        lines.extend(refusal.details)
        return Answer("\n".join(lines), status=world.switches.error_status)


def choose_fault(world: World, parameters: Mapping[str, str]) -> Fault | None:
    """The fault for a call: one that was ordered, else that of a magic number it sends to."""
    fault = world.faults.choose(parameters)
    sends = parameters.get("Action", "").casefold() == "send"
    if fault is not None or not world.switches.magic_numbers or not sends:
        return fault
    named = parameters.get("DestinationAddress", "").split(",")
    read = (read_destination(number, world.switches.national_numbers) for number in named)
    return magic_fault(number for number in read if number)


def _act(world: World, parameters: Mapping[str, str]) -> Answer:
    if world.switches.maintenance:
        raise RefusedError(-511)
    account = world.accounts.authenticate(parameters.get("Token", ""))
    call = Call(world, account, parameters, world.clock.now())
    action = _actions(world.switches).get(call.text("Action").strip().casefold())
    if action is None:
        raise RefusedError(-502)
    if world.switches.magic_numbers:
        for name in _MAGIC_PARAMETERS:
            if code := magic_code(call.text(name)):
                raise RefusedError(code)
    return action(call)


def _actions(switches: Switches) -> dict[str, Action]:
    """Every action by its name in lower case; two of the names are switches."""
    return {
        "checkcredits": messages.check_credits,
        "checkmessagestatus": messages.check_status,
        "send": send,
        "report": make_report,
        "createuser": users.create_user,
        "updatecredits": users.update_credits,
        "importcontactscsv": import_contacts,
        "getallcontacts": contacts.get_all_contacts,
        "getallgroups": contacts.get_all_groups,
        "deleteallcontacts": contacts.delete_all_contacts,
        "deleteallgroups": contacts.delete_all_groups,
        "emptygroup": contacts.empty_group,
        "deletegroup": contacts.delete_group,
        switches.cancel_action.casefold(): messages.cancel_message,
        switches.background_action.casefold(): list_background_messages,
    }
