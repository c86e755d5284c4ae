"""The provider's address book: contacts, groups and imports."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import InvalidInput, NotFound
from app.flows.conversations.contact_names import keep_contact_names
from app.flows.conversations.import_in_steps import claim_import, run_import, start_import
from app.provider.actions import Contact
from app.provider.client import ProviderClient
from app.storage.conversations.contact_imports import ContactImport, get_import
from app.web.core.forms.form import Form
from app.web.core.forms.kept_forms import find_kept, show_again
from app.web.core.forms.one_time_forms import find_nonce, make_form_key, wait_for_first
from app.web.core.lists import answer_csv
from app.web.core.no_account import show_no_account
from app.web.core.site import Site, Visit

PATH = "/contacts"
SHOWN_CONTACTS = 200
HEADINGS = ("name", "number", "email", "groups")
MAX_FILE_BYTES = 1024 * 1024
# Partial: the contact was added, but not to every group.
GOOD_RESULTS = frozenset({"success", "partial"})
REASONS = {
    "partial": "Added, but not to every group.",
    "duplicate name": "Another contact has this name.",
    "duplicate number": "Another contact has this number.",
}
DUPLICATES = (
    ("refuse", "Refuse the line"),
    ("overwrite", "Overwrite the contact"),
    ("ignore", "Add it again"),
)


def make_contact_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, list_contacts),
        site.get(f"{PATH}/csv", export_contacts),
        site.get(f"{PATH}/import", show_import_form),
        site.post(f"{PATH}/import", take_import),
        site.get(f"{PATH}/imports/{{id:int}}", show_import),
        site.post(f"{PATH}/imports/{{id:int}}/continue", continue_import),
        site.get(f"{PATH}/delete-all", ask_to_delete_contacts),
        site.post(f"{PATH}/delete-all", delete_contacts),
        site.get("/groups", list_groups),
        site.get("/groups/delete-all", ask_to_delete_groups),
        site.post("/groups/delete-all", delete_groups),
        site.get("/groups/change", ask_to_change_group),
        site.post("/groups/change", change_group),
    ]


async def list_contacts(visit: Visit) -> Response:
    """The contacts, fetched from the provider; a search covers every field."""
    provider = visit.site.runtime.provider
    if provider is None:
        return show_no_account(visit, "Contacts")
    words = visit.query.text("q").casefold().split()
    book = await provider.get_all_contacts()
    await keep_contact_names(visit.database, book, visit.region)
    found = [row for row in book.rows if _matches(row, words)]
    return visit.render(
        "conversations/contacts/contacts.html",
        rows=found[:SHOWN_CONTACTS],
        found=len(found),
        total=len(book.rows),
        headings=book.headings,
        form=visit.query,
    )


async def export_contacts(visit: Visit) -> Response:
    """All contacts as CSV, with headings if the provider sent any."""
    book = await visit.site.runtime.get_provider().get_all_contacts()

    async def read() -> AsyncIterator[Sequence[Contact]]:
        yield book.rows

    return await answer_csv(visit, "contacts", HEADINGS if book.headings else (), read(), _write)


async def show_import_form(visit: Visit) -> Response:
    if visit.site.runtime.provider is None:
        return show_no_account(visit, "Import contacts")
    form = await find_kept(visit) or Form()
    return _show_import_form(visit, form)


async def take_import(visit: Visit) -> Response:
    """Start an import from a file or the text field, unless this form has started it already."""
    provider = visit.site.runtime.get_provider()
    form = await visit.read_form(max_bytes=MAX_FILE_BYTES)
    chosen = form.file("file")
    data = form.text("csv").encode() if chosen is None else await chosen.read()
    duplicates = form.text("duplicates", "refuse")
    idempotency_key = make_form_key(
        visit, form, duplicates.encode("utf-8", "replace") + b"\n" + data
    )
    try:
        started = await wait_for_first(
            lambda: start_import(
                visit.database,
                data,
                idempotency_key,
                ignore_duplicates=duplicates == "ignore",
                overwrite_duplicates=duplicates == "overwrite",
                region=visit.region,
                who=visit.actor,
                now=visit.now,
            ),
            "these contacts are already being imported: check the address book in a moment",
        )
    except InvalidInput as error:
        form.fail("csv" if chosen is None else "file", str(error))
        return await show_again(visit, f"{PATH}/import", form)
    if started.is_new:
        await _go_on(visit, provider, started.id)
    return visit.redirect(f"{PATH}/imports/{started.id}")


async def show_import(visit: Visit) -> Response:
    """The progress of an import, and the result of each line."""
    found = await _find_import(visit)
    good = sum(each.result.lower() in GOOD_RESULTS for each in found.results)
    return visit.render(
        "conversations/contacts/contacts_progress.html",
        job=found,
        good=good,
        is_running=found.is_running(visit.now),
        explain_result=explain_result,
    )


def explain_result(result: str) -> str:
    """Why a line failed where the provider gave no reason; "" for one that did not."""
    word = result.lower()
    return "" if word == "success" else REASONS.get(word, "The provider gave no reason.")


async def continue_import(visit: Visit) -> Response:
    """Continue an import that stopped."""
    found = await _find_import(visit)
    provider = visit.site.runtime.get_provider()
    await _go_on(visit, provider, found.id)
    return visit.redirect(f"{PATH}/imports/{found.id}")


async def _go_on(visit: Visit, provider: ProviderClient, import_id: int) -> None:
    """Run an import in this process. Raises Conflict if there is nothing to do."""
    claimed = await claim_import(visit.database, import_id, now=visit.now)
    runtime = visit.site.runtime
    runtime.spawn(run_import(visit.database, provider, claimed, now=runtime.now))


async def ask_to_delete_contacts(visit: Visit) -> Response:
    provider = visit.site.runtime.provider
    if provider is None:
        return show_no_account(visit, "Delete all contacts?")
    return _ask(visit, Form(), len((await provider.get_all_contacts()).rows), "contacts")


async def delete_contacts(visit: Visit) -> Response:
    provider = visit.site.runtime.get_provider()
    return await _delete_all(visit, "contacts", PATH, provider.delete_all_contacts)


async def list_groups(visit: Visit) -> Response:
    provider = visit.site.runtime.provider
    if provider is None:
        return show_no_account(visit, "Groups")
    book = await provider.get_all_groups()
    return visit.render(
        "conversations/contacts/groups.html", rows=book.rows, headings=book.headings
    )


async def ask_to_delete_groups(visit: Visit) -> Response:
    provider = visit.site.runtime.provider
    if provider is None:
        return show_no_account(visit, "Delete all groups?")
    return _ask(visit, Form(), len((await provider.get_all_groups()).rows), "groups")


async def delete_groups(visit: Visit) -> Response:
    provider = visit.site.runtime.get_provider()
    return await _delete_all(visit, "groups", "/groups", provider.delete_all_groups)


async def ask_to_change_group(visit: Visit) -> Response:
    """The group's name is in the query, because it may contain anything."""
    name, action = _read_group(visit.query)
    return visit.render("conversations/contacts/group_change.html", name=name, action=action)


async def change_group(visit: Visit) -> Response:
    """Empty a group, or delete it; its contacts stay."""
    name, action = _read_group(await visit.read_form())
    provider = visit.site.runtime.get_provider()
    await (provider.empty_group(name) if action == "empty" else provider.delete_group(name))
    await visit.note(f"group.{action}", name)
    done = "is empty" if action == "empty" else "is deleted; its contacts stay"
    return visit.redirect("/groups", f"The group {name} {done}.")


async def _delete_all(
    visit: Visit, what: str, path: str, delete: Callable[[], Awaitable[None]]
) -> Response:
    form = await visit.read_form()
    if form.text("confirm").lower() != "all":
        form.fail("confirm", "type “all” to confirm")
        return _ask(visit, form, None, what, status=422)
    await delete()
    await visit.note(f"{what}.delete-all", "all")
    return visit.redirect(path, f"All {what} are deleted.")


def _ask(visit: Visit, form: Form, count: int | None, what: str, *, status: int = 200) -> Response:
    return visit.render(
        "conversations/delete_all.html", status=status, form=form, count=count, what=what
    )


def _show_import_form(visit: Visit, form: Form) -> Response:
    return visit.render(
        "conversations/contacts/contacts_import.html",
        status=422 if form.errors else 200,
        form=form,
        nonce=find_nonce(form),
        duplicates=DUPLICATES,
        max_kilobytes=MAX_FILE_BYTES // 1024,
    )


async def _find_import(visit: Visit) -> ContactImport:
    return await visit.database.read(get_import, visit.path_id)


def _read_group(form: Form) -> tuple[str, str]:
    """Its name, and whether it is to be emptied or deleted. Raises NotFound."""
    name, action = form.text("name"), form.text("action")
    if not name or action not in {"empty", "delete"}:
        raise NotFound("no group is named; go back to the list of groups")
    return name, action


def _matches(row: Contact, words: Sequence[str]) -> bool:
    text = " ".join(row.fields).casefold()
    return all(word in text for word in words)


def _write(row: Contact) -> Sequence[str]:
    if row.name is None:
        return row.fields
    return (row.name, row.number or "", row.email or "", *row.groups)
