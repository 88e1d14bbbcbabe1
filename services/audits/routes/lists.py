"""HTTP in for annual lists and their entries."""

from collections.abc import Mapping
from datetime import date
from io import BytesIO
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, File, Form, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field
from sqlmodel import col, select

from services.audits.access import as_id
from services.audits.actions import entries, lists
from services.audits.actions.lists import NewList
from services.audits.imports import LIST_IMPORT
from services.audits.models import ListEntry, MandatoryList
from services.audits.routes.router import router
from shared.http import Body, Ctx, IfMatch, Me, Tx, allow_version, creates, etag, guarded, json_answer, needs
from shared.imports import accept_import, imports_router
from shared.imports.routes import XLSX, OnError, uploaded
from shared.paging import After, Limit, filters_of, page, position
from shared.problems import Forbidden
from shared.spreadsheets import write_rows

READ, WRITE, DECIDE = "audits:lists:read", "audits:lists:write", "audits:lists:decide"
PROVINCE = ("provincial_ecology",)


class CreateList(Body):
    """A year's list, before its entries are imported."""

    kind: Literal["mandatory"]
    year: int = Field(ge=2016, le=2100, examples=[2026])
    document_no: str = Field(min_length=1, max_length=100, examples=["湘环示例〔2026〕1号"])
    title: str = Field(min_length=1, max_length=200)


class PublishList(Body):
    """The day of publication, from which the legal terms run."""

    published_on: date


class WithdrawEntry(Body):
    """Why an entry leaves a published list: a code such as LISTED_BY_ERROR, or words."""

    reason: str = Field(min_length=1, max_length=500, examples=["CLOSED"])


class ListOut(BaseModel):
    """A list as the answers show it."""

    id: UUID
    kind: str
    year: int
    document_no: str
    title: str
    state: str
    published_on: date | None
    entries: int
    allowed: list[str]
    version: int


class ListPage(BaseModel):
    """A page of lists, the newest first."""

    items: list[ListOut]
    next: str | None


def the_list(list_id: str, tx: Tx, me: Me) -> MandatoryList:
    """A list, for who oversees; whether one is there is not told to anybody else."""
    if not me.oversees:
        raise Forbidden()
    return lists.get_list(tx, as_id(list_id))


def entry_of_list(list_id: str, entry_id: str, tx: Tx, me: Me) -> ListEntry:
    return entries.get_entry(tx, me, as_id(entry_id), as_id(list_id))


def any_entry(entry_id: str, tx: Tx, me: Me) -> ListEntry:
    return entries.get_entry(tx, me, as_id(entry_id))


TheList = Annotated[MandatoryList, Depends(the_list)]


def shown(tx: Tx, listed: MandatoryList) -> dict[str, Any]:
    """A list with the number of its entries and what may be done with it."""
    count = entries.count_entries(tx, listed.id)
    fields = listed.model_dump(exclude={"made_by", "made_at"})
    return ListOut(**fields, entries=count, allowed=listed.allowed()).model_dump(mode="json")


def list_answer(request: Request, tx: Tx, listed: MandatoryList, status: int = 200) -> Response:
    return json_answer(request, shown(tx, listed), status=status, headers={"ETag": etag(listed.version)})


@router.post("/lists", status_code=201, response_model=ListOut, dependencies=[needs(WRITE, *PROVINCE), creates])
def create_list(body: CreateList, request: Request, tx: Tx, me: Me) -> Response:
    """Make a year's list as a draft."""
    return list_answer(request, tx, lists.create_list(tx, me, NewList(**body.model_dump())), 201)


@router.get("/lists", response_model=ListPage, dependencies=[needs(READ)])
def list_lists(request: Request, response: Response, tx: Tx, limit: Limit = 100, after: After = None) -> dict[str, Any]:
    """Lists, the newest first."""
    query = select(MandatoryList).order_by(col(MandatoryList.made_at).desc(), col(MandatoryList.id).desc())
    if place := position(after, filters_of(request), 1):
        before = select(MandatoryList.made_at, MandatoryList.id).where(MandatoryList.id == UUID(place[0])).subquery()
        query = query.where(
            (col(MandatoryList.made_at) < before.c.made_at)
            | ((col(MandatoryList.made_at) == before.c.made_at) & (col(MandatoryList.id) < before.c.id))
        )
    rows = list(tx.exec(query.limit(limit + 1)))
    return page(request, response, rows, limit, lambda row: [row.id], lambda row: shown(tx, row))


@router.get("/lists/{list_id}", response_model=ListOut, dependencies=guarded(the_list, scope=READ))
def read_list(listed: TheList, request: Request, tx: Tx) -> Response:
    """A list, with its state and the number of its entries."""
    return list_answer(request, tx, listed)


@router.get(
    "/lists/{list_id}/entries",
    responses={200: {"content": {XLSX: {}}}},
    dependencies=guarded(the_list, scope=READ),
)
def list_entries(
    listed: TheList,
    request: Request,
    response: Response,
    tx: Tx,
    me: Me,
    limit: Limit = 100,
    after: After = None,
    format: Annotated[Literal["json", "xlsx"] | None, Query()] = None,
) -> Any:
    """Entries in the caller's jurisdiction: a JSON page, or all of them as .xlsx with the duties."""
    if wants(request, format, "xlsx", XLSX):
        return workbook(entries.sheet_headers(), entries.sheet_rows(tx, me, listed.id), "list-entries")
    place = position(after, filters_of(request), 1)
    rows = entries.entries_in(tx, me, listed.id, place, limit + 1)
    return page(request, response, rows, limit, lambda row: [row.position], entries.entry_out)


@router.get("/lists/{list_id}/entries.xlsx", dependencies=guarded(the_list, scope=READ))
def export_entries(listed: TheList, tx: Tx, me: Me) -> Response:
    """The entries in the caller's jurisdiction with their duties, as a workbook."""
    return workbook(entries.sheet_headers(), entries.sheet_rows(tx, me, listed.id), "list-entries")


def wants(request: Request, asked: str | None, format: str, media_type: str) -> bool:
    """Whether the reader wants a format, by the query or else by its Accept header."""
    return asked == format or (asked is None and media_type.split(";")[0] in request.headers.get("accept", ""))


def workbook(headers: Any, rows: Any, name: str) -> Response:
    """Rows as an .xlsx attachment."""
    target = BytesIO()
    write_rows(target, headers, rows)
    disposition = {"Content-Disposition": f'attachment; filename="{name}.xlsx"'}
    return Response(target.getvalue(), headers=disposition, media_type=XLSX)


@router.post(
    "/lists/{list_id}/imports",
    status_code=202,
    dependencies=guarded(the_list, scope=WRITE, roles=PROVINCE, creating=True),
)
def import_list(
    listed: TheList,
    tx: Tx,
    me: Me,
    file: Annotated[UploadFile, File()],
    dry_run: Annotated[bool, Form()] = False,
    on_error: Annotated[OnError, Form()] = "abort",
) -> Response:
    """Replace the draft's entries by the rows of a file; a published list is not imported into (409)."""
    asked = uploaded(file, LIST_IMPORT.name, dry_run, on_error, list=str(listed.id))
    lists.require_draft(listed)
    return accept_import(tx, me, "audits", asked, LIST_IMPORT)


@router.post(
    "/lists/{list_id}/publish", response_model=ListOut, dependencies=guarded(the_list, scope=DECIDE, roles=PROVINCE)
)
def publish_list(
    listed: TheList, body: PublishList, request: Request, tx: Tx, me: Me, ctx: Ctx, if_match: IfMatch = None
) -> Response:
    """Publish: for every entry a round with its dated duties."""
    listed = lists.get_list(tx, listed.id, lock=True)
    allow_version(if_match, listed.version)
    return list_answer(request, tx, lists.publish_list(tx, me, listed, body.published_on, ctx.clock.today()))


@router.post(
    "/lists/{list_id}/entries/{entry_id}/withdraw",
    dependencies=guarded(entry_of_list, scope=DECIDE, roles=PROVINCE),
)
def withdraw_entry_of_list(
    entry: Annotated[ListEntry, Depends(entry_of_list)], body: WithdrawEntry, tx: Tx, me: Me, ctx: Ctx
) -> Mapping[str, Any]:
    """Take an entry off a published list: its round is cancelled, its open duties are waived."""
    return entries.entry_out(entries.withdraw_entry(tx, me, entry, body.reason, ctx.clock.today()))


@router.post("/entries/{entry_id}/withdraw", dependencies=guarded(any_entry, scope=DECIDE, roles=PROVINCE))
def withdraw_entry(
    entry: Annotated[ListEntry, Depends(any_entry)], body: WithdrawEntry, tx: Tx, me: Me, ctx: Ctx
) -> Mapping[str, Any]:
    """The same, by the entry alone."""
    return entries.entry_out(entries.withdraw_entry(tx, me, entry, body.reason, ctx.clock.today()))


@router.get("/entries/{entry_id}", dependencies=guarded(any_entry, scope=READ))
def read_entry(entry: Annotated[ListEntry, Depends(any_entry)], request: Request) -> Response:
    """One entry."""
    return json_answer(request, entries.entry_out(entry))


imports_router(router, "audits", (LIST_IMPORT,), read=READ, write=WRITE, own_post=False)
