"""HTTP in for files that rounds rest on."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, File, Request, Response, UploadFile
from pydantic import BaseModel

from services.audits.access import as_id
from services.audits.actions import files
from services.audits.actions.files import Upload
from services.audits.models import AuditFile
from services.audits.routes.router import router
from shared.filenames import attachment
from shared.http import Me, Tx, creates, etag, guarded, json_answer, needs

READ, WRITE = "audits:files:read", "audits:files:write"
SUFFIX = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"} | {
    media_type: ("docx" if part.startswith("word/") else "xlsx") for part, media_type in files.OFFICE_PARTS.items()
}


class FileOut(BaseModel):
    """A file by content."""

    id: UUID
    sha256: str
    size: int
    media_type: str


def the_file(file_id: str, tx: Tx, me: Me) -> AuditFile:
    return files.visible_file(tx, me, as_id(file_id))


TheFile = Annotated[AuditFile, Depends(the_file)]


@router.post("/files", status_code=201, response_model=FileOut, dependencies=[needs(WRITE), creates])
def upload_file(file: Annotated[UploadFile, File()], request: Request, tx: Tx, me: Me) -> Response:
    """Keep a file of at most 50 MiB; pdf, docx, xlsx, jpg and png are told by their content."""
    files.check_size(file.size or 0)
    made = files.keep_file(tx, me, Upload(file.filename or "file", file.file.read()))
    shown = FileOut(**made.model_dump(exclude={"content"})).model_dump(mode="json")
    return json_answer(request, shown, status=201, headers={"Location": f"/audits/v1/files/{made.id}"})


@router.get(
    "/files/{file_id}",
    response_class=Response,
    responses={200: {"content": {media_type: {} for media_type in SUFFIX}}},
    dependencies=guarded(the_file, scope=READ),
)
def read_file(file: TheFile, request: Request) -> Response:
    """The bytes of a file, always as an attachment."""
    tag = etag(file.sha256)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in (held.strip() for held in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    plain = f"file.{SUFFIX[file.media_type]}"
    headers["Content-Disposition"] = attachment(file.filename, plain)
    headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return Response(file.content, headers=headers, media_type=file.media_type)
