"""HTTP of imports: hand in a file, follow its job, read what is wrong, take the marked workbook and the template."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse
from sqlmodel import Session, col, select

from shared.auth import Caller
from shared.filenames import attachment, plain_name
from shared.http import Me, Tx, creates, guarded, json_answer, needs
from shared.imports.run import IMPORT_JOB, ImportKind
from shared.imports.tables import ImportFile, ImportRow
from shared.jobs import Job, enqueue
from shared.paging import After, Limit, filters_of, page, position
from shared.problems import Fault, NotFound, Text, TooLarge, Unprocessable
from shared.spreadsheets import LIMITS, FileProblem, RowProblem, annotated_workbook, find_tables, read_table, template

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OnError = Literal["abort", "skip"]


def accept_import(tx: Session, me: Caller, service: str, file: ImportFile, kind: ImportKind | None = None) -> Response:
    """Queue an import; refuses at once what is too large, unreadable, empty, or a bomb (413, 422)."""
    try:
        sheets = read_table(file.content, file.filename)
        if kind is not None:
            find_tables(sheets, kind.columns).require_rows()
    except FileProblem as problem:
        raise _refusal(problem) from problem
    file.marks = sheets.marks
    file.owner, file.jurisdiction, file.role = me.client_id, me.jurisdiction, me.role
    tx.add(file)
    tx.flush()
    job = Job(kind=IMPORT_JOB, owner=me.client_id, parameters={"import": str(file.id)})
    enqueue(tx, job)
    place = f"/{service}/v1/jobs/{job.id}"
    answer = {"job": str(job.id), "import": str(file.id), "state": job.state}
    return JSONResponse(answer, 202, {"Location": place, "Retry-After": "1"})


def _refusal(problem: FileProblem) -> Unprocessable | TooLarge:
    kind = TooLarge if problem.code == "file_too_large" else Unprocessable
    return kind(problem.code, problem.text, faults=[Fault("/file", problem.code, problem.text)])


def uploaded(upload: UploadFile, kind: str, dry_run: bool, on_error: str, **parameters: Any) -> ImportFile:
    """The import that an upload asks for; refuses by size before reading."""
    if (upload.size or 0) > LIMITS.file_bytes:
        text = Text("文件超过 20 MiB。", "The file is larger than 20 MiB.")
        raise TooLarge("file_too_large", text, faults=[Fault("/file", "file_too_large", text)])
    content = upload.file.read()
    return ImportFile(
        kind=kind,
        owner="",
        filename=plain_name(upload.filename or ""),
        content=content,
        dry_run=dry_run,
        on_error=on_error,
        parameters=parameters,
    )


def imports_router(
    router: APIRouter, service: str, kinds: tuple[ImportKind, ...], *, read: str, write: str, own_post: bool = True
) -> None:
    """Add the calls that every importing service has; `read` and `write` are scopes."""
    by_name = {kind.name: kind for kind in kinds}
    _add_following(router, read)
    _add_results(router, by_name, read)
    _add_template(router, by_name, read)
    if not own_post:
        return

    @router.post("/imports", status_code=202, dependencies=[needs(write), creates])
    def hand_in_file(
        tx: Tx,
        me: Me,
        file: Annotated[UploadFile, File()],
        kind: Annotated[str, Form()],
        dry_run: Annotated[bool, Form()] = False,
        on_error: Annotated[OnError, Form()] = "abort",
    ) -> Response:
        """Queue a file for import: all good rows or none (`abort`), or the good ones (`skip`)."""
        if kind not in by_name:
            text = Text("未知的导入类型。", "This kind of import is not known.")
            raise Unprocessable("kind_unknown", text, faults=[Fault("/kind", "kind_unknown", text)])
        return accept_import(tx, me, service, uploaded(file, kind, dry_run, on_error), by_name[kind])


def _add_following(router: APIRouter, read: str) -> None:
    def the_job(job_id: str, tx: Tx, me: Me) -> Job:
        job = tx.get(Job, _as_id(job_id))
        if job is None or not _mine(job.owner, me):
            raise NotFound()
        return job

    @router.get("/jobs/{job_id}", dependencies=guarded(the_job, scope=read))
    def read_job(job: Annotated[Job, Depends(the_job)], request: Request) -> Response:
        """How far a job has come, and its result."""
        shown: dict[str, Any] = {
            "id": str(job.id),
            "kind": job.kind,
            "state": job.state,
            "rows_total": job.rows_total,
            "rows_done": job.rows_done,
            "result": job.result,
        }
        return json_answer(request, shown | ({"error": job.error} if job.error else {}))


def _add_results(router: APIRouter, by_name: dict[str, ImportKind], read: str) -> None:
    def the_import(import_id: str, tx: Tx, me: Me) -> ImportFile:
        file = tx.get(ImportFile, _as_id(import_id))
        if file is None or not _mine(file.owner, me):
            raise NotFound()
        return file

    @router.get("/imports/{import_id}/rows", dependencies=guarded(the_import, scope=read))
    def list_import_rows(
        request: Request,
        response: Response,
        file: Annotated[ImportFile, Depends(the_import)],
        tx: Tx,
        severity: Annotated[str | None, Query(pattern="^(error|warning)(,(error|warning))?$")] = None,
        limit: Limit = 200,
        after: After = None,
    ) -> dict[str, Any]:
        """What is wrong with the rows of an import, in the order of the file."""
        query = select(ImportRow).where(ImportRow.import_id == file.id).order_by(col(ImportRow.number))
        if severity:
            query = query.where(col(ImportRow.severity).in_(severity.split(",")))
        if place := position(after, filters_of(request), 1):
            query = query.where(col(ImportRow.number) > int(place[0]))
        rows = tx.exec(query.limit(limit + 1)).all()
        return page(request, response, rows, limit, lambda row: [row.number], ImportRow.as_json)

    @router.get("/imports/{import_id}/workbook", dependencies=guarded(the_import, scope=read))
    def read_marked_workbook(file: Annotated[ImportFile, Depends(the_import)], tx: Tx) -> Response:
        """The file with its bad cells coloured and commented, and a last column 校验结果."""
        sheets = read_table(file.content, file.filename)
        rows = tx.exec(select(ImportRow).where(ImportRow.import_id == file.id)).all()
        tables = find_tables(sheets, by_name[file.kind].columns).tables
        return _attachment(annotated_workbook(sheets, tables, [_problem(row) for row in rows]), f"校验-{file.filename}")


def _add_template(router: APIRouter, by_name: dict[str, ImportKind], read: str) -> None:
    @router.get("/templates/{kind}.xlsx", dependencies=[needs(read)])
    def read_template(kind: str) -> Response:
        """The template whose headers the import reads."""
        known = by_name.get(kind)
        if known is None:
            raise NotFound()
        choices = known.choices() if known.choices else None
        return _attachment(template(known.columns, choices=choices), f"{known.columns.title.zh}模板")


def _as_id(text: str) -> UUID:
    """An id of a path; what is no UUID names nothing: NotFound."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound() from error


def _mine(owner: str, me: Caller) -> bool:
    return owner == me.client_id


def _problem(row: ImportRow) -> RowProblem:
    message = Text(row.message["zh"], row.message["en"])
    severity: Literal["error", "warning"] = "error" if row.severity == "error" else "warning"
    return RowProblem(
        row.sheet, row.row, row.column, row.header, row.value, severity, row.code, message, row.suggestion
    )


def _attachment(content: bytes, name: str) -> Response:
    stem = name.rsplit(".", 1)[0] if name.lower().endswith((".xlsx", ".xls", ".csv")) else name
    return Response(content, headers={"Content-Disposition": attachment(f"{stem}.xlsx", "workbook.xlsx")}, media_type=XLSX)
