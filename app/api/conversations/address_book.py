"""/contacts and /groups: the address book that the provider keeps."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.convertors import StringConvertor, register_url_convertor

from app.api.core.calls import Call
from app.api.core.filters import BoolFilter
from app.api.core.json_input import check_media_type
from app.api.core.routing import make_router
from app.api.core.schemas import A_SENDER, Shown
from app.flows.conversations.contact_names import keep_contact_names
from app.flows.conversations.import_contacts import import_contacts as run_import
from app.flows.conversations.import_contacts import read_contacts

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


class GroupConvertor(StringConvertor):
    """A group's name in a path, which may hold a slash; what ends in /empty is another path."""

    regex = r".+(?<!/empty)"


register_url_convertor("group", GroupConvertor())

contacts = make_router("/contacts", "admin", acts_at_provider=True)
groups = make_router("/groups", "admin", acts_at_provider=True, fields={"group": "name"})

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
    items: list[Contact] = Field(validation_alias="rows", description="in the provider's order")


class Group(Shown):
    """A group of contacts; `name` is null where it cannot be told."""

    name: str | None = Field(description="the group's name", examples=["customers"])
    fields: Fields


class Groups(Shown):
    """Every group."""

    headings: Headings
    items: list[Group] = Field(validation_alias="rows", description="in the provider's order")


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


@contacts.get("")
async def list_contacts(call: Call) -> Contacts:
    """List every contact of the provider's address book; their names are kept for /people."""
    book = await call.runtime.get_provider().get_all_contacts()
    await keep_contact_names(call.database, book, call.region)
    return Contacts.model_validate(book)


@contacts.post("", openapi_extra=CSV_BODY)
async def import_contacts(call: Call, query: Annotated[ImportQuery, Query()]) -> Imported:
    """Add contacts from a CSV; each line gets its own result."""
    provider = call.runtime.get_provider()
    check_media_type(call.request, "text/csv", "application/octet-stream")
    given = read_contacts(await call.request.body(), call.region)
    await call.note("contacts.import", "contacts", lines=len(given))
    results = await run_import(
        provider,
        given,
        ignore_duplicates=bool(query.ignore_duplicates),
        overwrite_duplicates=bool(query.overwrite_duplicates),
    )
    return Imported.model_validate({"items": results})


@contacts.delete("", status_code=204)
async def delete_contacts(confirm: Confirmation, call: Call) -> None:  # noqa: ARG001 it must be sent
    """Delete every contact of the provider's address book."""
    await call.runtime.get_provider().delete_all_contacts()
    await call.note("contacts.delete-all", "all")


@groups.get("")
async def list_groups(call: Call) -> Groups:
    """List every group of the provider's address book."""
    return Groups.model_validate(await call.runtime.get_provider().get_all_groups())


@groups.delete("", status_code=204)
async def delete_groups(confirm: Confirmation, call: Call) -> None:  # noqa: ARG001 as above
    """Delete every group; the contacts stay."""
    await call.runtime.get_provider().delete_all_groups()
    await call.note("groups.delete-all", "all")


@groups.delete("/{name:group}", status_code=204)
async def delete_group(name: str, call: Call) -> None:
    """Delete a group; its contacts stay."""
    await call.runtime.get_provider().delete_group(name)
    await call.note("group.delete", name)


@groups.post("/{name:path}/empty", status_code=204)
async def empty_group(name: str, call: Call) -> None:
    """Take all contacts out of a group; they and the group stay."""
    await call.runtime.get_provider().empty_group(name)
    await call.note("group.empty", name)
