"""Forms that are shown again at an address of their own, so that Back and Reload find them.

A form with errors, or one that is only tried, is kept for a day and its page is asked for anew.
"""

from starlette.responses import Response

from app.flows.operations.keep_form import find_form, keep_form
from app.web.core.forms.form import Form
from app.web.core.site import Visit

# The parameter that names a form that was kept.
KEPT = "form"
# What the names of its errors begin with.
FAULT = "fault."


async def show_again(visit: Visit, path: str, form: Form) -> Response:
    """Lead to the page that shows the form as it was typed, with the errors that it has."""
    faults = [(FAULT + name, text) for name, text in form.errors.items()]
    fields = [*form.list_texts(), *faults]
    name = await keep_form(visit.database, _name_owner(visit), fields, now=visit.now)
    return visit.redirect(f"{path}?{KEPT}={name}")


async def find_kept(visit: Visit) -> Form | None:
    """The form that the address names; None where it names none. Raises NotFound."""
    name = visit.query.text(KEPT)
    if not name:
        return None
    form = Form(await find_form(visit.database, _name_owner(visit), name, now=visit.now))
    for field, text in form.list_texts():
        if field.startswith(FAULT):
            form.fail(field.removeprefix(FAULT), text)
    return form


def _name_owner(visit: Visit) -> str:
    """A form is found by the session that wrote it."""
    return f"session:{visit.signed_in.id}"
