"""Forms: what was typed, and what is wrong with it, field by field."""

from collections.abc import Iterable

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from app.domain.errors import InvalidInput
from app.domain.places import read_id_place
from app.streaming.bodies import limit_body

MAX_FORM_BYTES = 256 * 1024
# The name of errors that belong to no field; they are shown above the form.
WHOLE = ""


class Form:
    """The values as they were typed; `errors` has one line for each invalid field.

    `repeated` has, for each field with a time that the clocks repeat, the two that it may mean, as
    pairs of value and label. `unknown_zone`: its zone is not one that we know.
    """

    def __init__(self, data: Iterable[tuple[str, str | UploadFile]] = ()) -> None:
        self._data = FormData(list(data))
        self.errors: dict[str, str] = {}
        self.repeated: dict[str, list[tuple[str, str]]] = {}
        self.unknown_zone = False

    def text(self, name: str, default: str = "") -> str:
        """A field's text, trimmed, with LF for the CR LF of browsers.

        NUL is left out: databases cannot store it, and nobody can type it.
        """
        value = self._data.get(name, default)
        if not isinstance(value, str):
            return default
        return value.replace("\r\n", "\n").replace("\0", "").strip()

    def replace(self, name: str, text: str) -> None:
        """Put another text into a field."""
        others = [pair for pair in self._data.multi_items() if pair[0] != name]
        self._data = FormData([*others, (name, text)])

    def raw(self, name: str) -> str:
        """A field's text exactly as it was sent: for passwords."""
        value = self._data.get(name, "")
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """A row's id; None for anything that cannot be one."""
        return read_id_place(self.text(name))

    def texts(self, name: str) -> list[str]:
        """All values of a field that occurs several times."""
        return [value for value in self._data.getlist(name) if isinstance(value, str)]

    def list_texts(self) -> list[tuple[str, str]]:
        """All fields but files, as they were typed."""
        pairs = self._data.multi_items()
        return [(name, value) for name, value in pairs if isinstance(value, str)]

    def has(self, name: str) -> bool:
        """Whether a box is ticked or a button was pressed."""
        return name in self._data

    def file(self, name: str) -> UploadFile | None:
        """A file that was chosen, or None."""
        value = self._data.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def fail(self, name: str, text: str) -> None:
        """Say what is wrong with a field; the first error is kept."""
        self.errors.setdefault(name, text)

    def note(self, error: InvalidInput, known: Iterable[str] = ()) -> None:
        """Show an error at its field, or above the form if there is no such field."""
        name = error.field or WHOLE
        self.fail(name if name in self._data or name in set(known) else WHOLE, str(error))


async def read_form(request: Request, *, max_bytes: int = MAX_FORM_BYTES) -> Form:
    """The form that was sent. Raises HTTPException 413 where it is larger, 400 if unreadable."""
    scope = {**request.scope, "headers": [_drop_charset(*pair) for pair in request.headers.raw]}
    limited = Request(scope, limit_body(request.receive, max_bytes))
    data = await limited.form(max_files=4, max_fields=2000, max_part_size=max_bytes)
    return Form(data.multi_items())


def read_query(request: Request) -> Form:
    """The query of an address, as the form that a filter is."""
    return Form(request.query_params.multi_items())


def _drop_charset(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Our pages are UTF-8. Some of Python's charsets decode to text that cannot be encoded."""
    if name != b"content-type":
        return name, value
    parts = value.split(b";")
    return name, b";".join(
        part for part in parts if not part.strip().lower().startswith(b"charset")
    )
