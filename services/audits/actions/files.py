"""Files that rounds rest on: taking one in, reading one, and holding a round to files of its own parties."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.audits.access import seen_by
from services.audits.models import AuditFile, AuditRound, EnterpriseCopy, InstitutionCopy, RoundFile
from services.audits.refusals import fault
from shared.auth import Caller
from shared.filenames import plain_name
from shared.problems import Fault, NotFound, Text, TooLarge, Unprocessable

MAX_FILE = 50 * 1024 * 1024
OFFICE = "application/vnd.openxmlformats-officedocument"
OFFICE_PARTS = {
    "word/document.xml": f"{OFFICE}.wordprocessingml.document",
    "xl/workbook.xml": f"{OFFICE}.spreadsheetml.sheet",
}
SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"%PDF-", "application/pdf"))


@dataclass(frozen=True)
class Upload:
    """What a caller sends: a name, which says nothing, and the bytes."""

    filename: str
    content: bytes


def keep_file(tx: Session, me: Caller, given: Upload) -> AuditFile:
    """Keep a file by its content; 413 above 50 MiB, 422 `file_empty` or `file_kind_not_allowed`."""
    check_size(len(given.content))
    if not given.content:
        raise _refused("file_empty", "文件为空。", "The file is empty.")
    media_type = media_type_of(given.content)
    if media_type is None:
        known = "pdf, docx, xlsx, jpg, png"
        raise _refused("file_kind_not_allowed", f"只接受 {known}（按内容判断）。", f"Only {known}, judged by content.")
    made = AuditFile(
        owner_client=me.client_id,
        owner_uscc="" if me.is_authority else me.uscc,
        division=_place_of(tx, me),
        filename=plain_name(given.filename),
        media_type=media_type,
        size=len(given.content),
        sha256=hashlib.sha256(given.content).hexdigest(),
        content=given.content,
    )
    tx.add(made)
    tx.flush()
    return made


def check_size(size: int) -> None:
    """413 `file_too_large` above the limit."""
    if size > MAX_FILE:
        text = Text("文件超过 50 MiB。", "The file is larger than 50 MiB.")
        raise TooLarge("file_too_large", text, faults=[Fault("/file", "file_too_large", text)])


def _refused(code: str, zh: str, en: str) -> Unprocessable:
    return Unprocessable(code, Text(zh, en), faults=[Fault("/file", code, Text(zh, en))])


def media_type_of(content: bytes) -> str | None:
    """The media type that the bytes say, None for a kind that is not taken; a macro makes a workbook one of those."""
    for signature, media_type in SIGNATURES:
        if content.startswith(signature):
            return media_type
    if not content.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            names = set(package.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    if "[Content_Types].xml" not in names or any(name.lower().endswith("vbaproject.bin") for name in names):
        return None
    return next((kind for part, kind in OFFICE_PARTS.items() if part in names), None)


def _place_of(tx: Session, me: Caller) -> str:
    """Where the uploader is: its jurisdiction, or what the register says of the enterprise or institution."""
    if me.is_authority:
        return me.jurisdiction
    known = tx.get(EnterpriseCopy, me.uscc) or tx.get(InstitutionCopy, me.uscc)
    return known.division if known else ""


def visible_file(tx: Session, me: Caller, file_id: UUID) -> AuditFile:
    """A file of one's own, of one's jurisdiction, or of a round that one sees; else NotFound."""
    using = (
        sa.select(sa.literal(1))
        .select_from(RoundFile)
        .join(AuditRound, col(AuditRound.id) == col(RoundFile.round_id))
        .where(col(RoundFile.file_id) == col(AuditFile.id), seen_by(me))
    )
    mine = [col(AuditFile.owner_client) == me.client_id, sa.exists(using)]
    if me.uscc and not me.is_authority:
        mine.append(col(AuditFile.owner_uscc) == me.uscc)
    if me.oversees and me.jurisdiction:
        mine.append(col(AuditFile.division).startswith(me.jurisdiction, autoescape=True))
    found = tx.exec(select(AuditFile).where(AuditFile.id == file_id, sa.or_(*mine))).first()
    if found is None:
        raise NotFound()
    return found


def file_faults(
    tx: Session, round: AuditRound, files: Mapping[str, UUID | None], *, institution: str | None = None
) -> list[Fault]:
    """`file_unknown` at each pointer whose file is missing, or belongs to no party of the round."""
    wanted = {pointer: file_id for pointer, file_id in files.items() if file_id is not None}
    owners = select(AuditFile.id, AuditFile.owner_uscc, AuditFile.division).where(
        col(AuditFile.id).in_(wanted.values())
    )
    parties = {round.uscc, round.institution, institution} - {None, ""}
    good = {
        file_id
        for file_id, owner, division in tx.exec(owners)
        if owner in parties or (not owner and division and round.division.startswith(division))
    }
    return [fault("file_unknown", pointer) for pointer, file_id in wanted.items() if file_id not in good]


def rest_on(tx: Session, round: AuditRound, *files: UUID | None) -> None:
    """From now on whoever sees the round may read these files."""
    for file_id in {found for found in files if found is not None}:
        if tx.get(RoundFile, (round.id, file_id)) is None:
            tx.add(RoundFile(round_id=round.id, file_id=file_id))
