"""Importing grades: the rows of a publication, checked against their year's regime."""

from datetime import date
from functools import cache
from pathlib import Path

from sqlmodel import Session, col, select

from services.credit.actions import NewRecord, record_of
from services.credit.models import CreditRecord, EnterpriseCopy
from services.credit.rules import regime_of
from shared.codes import uscc_problem
from shared.imports import Counts, ImportKind, ImportRun
from shared.messaging.outbox import emit
from shared.spreadsheets import Columns, Row, clean_code, clean_text, load_columns, read_date, read_number

LEVELS = {"省级": "province", "市级": "city", "省": "province", "市": "city", "province": "province", "city": "city"}


@cache
def columns() -> Columns:
    return load_columns(Path(__file__).parent / "data" / "records_columns.yaml")


def apply(run: ImportRun) -> Counts:
    """Check every row, then record what is new; a row equal to what stands for its day changes nothing."""
    enterprises = _enterprises(run.tx)
    good: list[NewRecord] = []
    first: dict[tuple[str, int, str], int] = {}
    for done, row in enumerate(run.rows, 1):
        given = _checked(run, row, enterprises)
        if given is not None:
            seen = first.setdefault((given.uscc, given.evaluation_year, given.level), row.number)
            if seen != row.number:
                run.error(row, "uscc", "duplicate_in_file", first_row=seen)
            else:
                good.append(given)
        run.tell(done)
    if run.aborted:
        return Counts()
    return _written(run, good, enterprises)


def _checked(run: ImportRun, row: Row, enterprises: dict[str, str]) -> NewRecord | None:
    run.formulas(row)
    uscc = clean_code(row.values.get("uscc"))
    if problem := uscc_problem(uscc):
        run.error(row, "uscc", problem)
    elif uscc not in enterprises or not enterprises[uscc].startswith(run.jurisdiction):
        run.error(row, "uscc", "enterprise_unknown")
    level = LEVELS.get(clean_text(row.values.get("level")))
    if level is None or (level == "province" and not run.file.role.startswith("provincial")):
        run.error(row, "level", "choice_unknown", choices="、".join(("省级", "市级")))
    year, grade = _graded(run, row)
    published = _published(run, row, year)
    document = clean_text(row.values.get("document_no"))
    if not document:
        run.error(row, "document_no", "value_missing")
    if not run.is_good(row):
        return None
    assert level is not None and published is not None
    return NewRecord(uscc, year, grade, level, published, document)


def _graded(run: ImportRun, row: Row) -> tuple[int, str]:
    year = read_number(row.values.get("evaluation_year"))
    regime = regime_of(int(year)) if year is not None and year == int(year) else None
    if year is None or regime is None:
        run.error(row, "evaluation_year", "year_malformed")
        return 0, ""
    grade = clean_text(row.values.get("grade"))
    if grade not in regime.grades:
        run.error(row, "grade", "grade_unknown")
    return int(year), grade


def _published(run: ImportRun, row: Row, year: int) -> date | None:
    cell = read_date(row.values.get("published_on"), typed=row.typed)
    if cell.code is not None:
        run.error(row, "published_on", cell.code, suggestion=cell.suggestion)
    elif cell.day is None:
        run.error(row, "published_on", "value_missing")
    elif cell.day > run.today or cell.day.year < year:
        run.error(row, "published_on", "date_out_of_order")
    return cell.day


def _enterprises(tx: Session) -> dict[str, str]:
    return dict(tx.exec(select(EnterpriseCopy.uscc, EnterpriseCopy.division)).all())


def _written(run: ImportRun, good: list[NewRecord], enterprises: dict[str, str]) -> Counts:
    counts = Counts()
    newest = _newest(run.tx, {given.uscc for given in good})
    for given in good:
        before = newest.get((given.uscc, given.evaluation_year, given.level, given.published_on))
        if before is not None and before.grade == given.grade:
            counts.unchanged += 1
            continue
        record = record_of(given, run.owner)
        run.tx.add(record)
        emit(run.tx, record.published(enterprises[given.uscc]))
        counts.created += before is None
        counts.updated += before is not None
    return counts


def _newest(tx: Session, usccs: set[str]) -> dict[tuple[str, int, str, date], CreditRecord]:
    mine = select(CreditRecord).where(col(CreditRecord.uscc).in_(usccs)).order_by(col(CreditRecord.recorded_at))
    return {(r.uscc, *r.publication): r for r in tx.exec(mine)}


def offered() -> dict[str, list[str]]:
    """What the template's drop-downs offer."""
    return {"level": ["省级", "市级"], "grade": ["绿牌", "蓝牌", "黄牌", "红牌", "黑牌"]}


KIND = ImportKind("records", columns(), apply, offered)
