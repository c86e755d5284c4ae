"""/contacts and /groups: the address book that the provider keeps."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.convertors import Convertor, register_url_convertor

from app.api.core.dependencies import By, Keyring, make_noter, make_router
from app.api.core.filters import BoolFilter
from app.api.core.json_input import check_media_type
from app.api.core.schemas import A_SENDER, Shown
from app.flows.conversations.import_contacts import import_contacts as run_import
from app.flows.conversations.import_contacts import read_contacts
from app.runtime import Runtime

CSV_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "name,number,email,group1,group2,… a line, in UTF-8 and without headings",
        "content": {
            "text/csv": {
                "schema": {
                    "type": "string",
                    "examples": [f"Ada Lovelace,{A_SENDER},ada@example.com,customers\n"],
                }
            },
            # The same: clients generated for Python know no text/csv.
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}

Headings = Annotated[
    list[str] | None, Field(description="the provider's headings; null where it sent none")
]
Fields = Annotated[list[str], Field(description="the row as it came")]


class GroupConvertor(Convertor[str]):
    """A group's name in a path, which may hold a slash; what ends in /empty is another path."""

    regex = r".+(?<!/empty)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("group", GroupConvertor())

Confirmation = Annotated[
    Literal["all"], Query(description="says that all of them are meant; there is no way back")
]


class Contact(Shown):
    """A contact of the provider's address book; null is what no heading names."""

    name: str | None = Field(description="their name", examples=["Ada Lovelace"])
    number: str | None = Field(description="their number, as the provider has it")
    email: str | None = Field(description="their address", examples=["ada@example.com"])
    groups: list[str] = Field(description="the groups they are in", examples=[["customers"]])
    fields: Fields


class Contacts(Shown):
    """Every contact."""

    headings: Headings
    items: list[Contact] = Field(description="in the provider's order")


class Group(Shown):
    """A group of contacts; `name` is null where it cannot be told."""

    name: str | None = Field(description="the group's name", examples=["customers"])
    fields: Fields


class Groups(Shown):
    """Every group."""

    headings: Headings
    items: list[Group] = Field(description="in the provider's order")


class ImportQuery(BaseModel):
    """What becomes of a name or number that is known already; else it is refused."""

    ignore_duplicates: Annotated[BoolFilter, Field(description="add it all the same")] = None
    overwrite_duplicates: Annotated[
        BoolFilter,
        Field(
            description="replace the contact with the number, and add one where only the name is"
            " known; wins over ignore_duplicates"
        ),
    ] = None


class ImportedLine(Shown):
    """What became of a line."""

    line: int = Field(description="of the CSV, counted from 1")
    result: str = Field(
        description="Success, Partial, Failed, Duplicate Name, Duplicate Number, or the"
        " provider's newer word",
        examples=["Success"],
    )
    detail: str = Field(description='the provider\'s reason; "" where it gave none')


class Imported(Shown):
    """What became of every line, in the order of the CSV."""

    items: list[ImportedLine] = Field(description="one for each line")


def make_contacts_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/contacts", "admin", acts_at_provider=True)
    note = make_noter(runtime)

    @router.get("")
    async def list_contacts() -> Contacts:
        """List every contact of the provider's address book."""
        book = await runtime.get_provider().get_all_contacts()
        return Contacts(
            headings=None if book.headings is None else list(book.headings),
            items=[Contact.model_validate(row) for row in book.rows],
        )

    @router.post("", openapi_extra=CSV_BODY)
    async def import_contacts(
        request: Request, query: Annotated[ImportQuery, Query()], by: By
    ) -> Imported:
        """Add contacts from a CSV; each line gets its own result."""
        provider = runtime.get_provider()
        check_media_type(request, "text/csv", "application/octet-stream")
        contacts = read_contacts(await request.body(), runtime.settings.default_region)
        await note(by, "contacts.import", "contacts", lines=len(contacts))
        results = await run_import(
            provider,
            contacts,
            ignore_duplicates=bool(query.ignore_duplicates),
            overwrite_duplicates=bool(query.overwrite_duplicates),
        )
        return Imported(items=[ImportedLine.model_validate(each) for each in results])

    @router.delete("", status_code=204)
    async def delete_contacts(confirm: Confirmation, by: By) -> None:  # noqa: ARG001 that it is there counts
        """Delete every contact of the provider's address book."""
        await runtime.get_provider().delete_all_contacts()
        await note(by, "contacts.delete-all", "all")

    return router


def make_groups_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    names = {"group": "name"}
    router = make_router(keyring, "/groups", "admin", acts_at_provider=True, fields=names)
    note = make_noter(runtime)

    @router.get("")
    async def list_groups() -> Groups:
        """List every group of the provider's address book."""
        book = await runtime.get_provider().get_all_groups()
        return Groups(
            headings=None if book.headings is None else list(book.headings),
            items=[Group.model_validate(row) for row in book.rows],
        )

    @router.delete("", status_code=204)
    async def delete_groups(confirm: Confirmation, by: By) -> None:  # noqa: ARG001 as above
        """Delete every group; the contacts stay."""
        await runtime.get_provider().delete_all_groups()
        await note(by, "groups.delete-all", "all")

    @router.delete("/{name:group}", status_code=204)
    async def delete_group(name: str, by: By) -> None:
        """Delete a group; its contacts stay."""
        await runtime.get_provider().delete_group(name)
        await note(by, "group.delete", name)

    @router.post("/{name:path}/empty", status_code=204)
    async def empty_group(name: str, by: By) -> None:
        """Take all contacts out of a group; they and the group stay."""
        await runtime.get_provider().empty_group(name)
        await note(by, "group.empty", name)

    return router
