"""One run of an import: its rows, the problems found, and the decision to write all good rows or none."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from shared.crashpoints import crash_point
from shared.imports.tables import ImportFile, ImportRow
from shared.jobs import JobFailed, JobKind, Work
from shared.problems import Text
from shared.spreadsheets import Columns, FileProblem, Row, RowProblem, find_tables, read_table

IMPORT_JOB = "import"
TELL_EVERY = 500


@dataclass
class Counts:
    """What an import did, or would do: rows by their effect."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass
class ImportRun:
    """What a service's validator works with. Report problems, ask `aborted`, then write the good rows."""

    tx: Session
    today: date
    file: ImportFile
    rows: list[Row]
    dry_run: bool
    on_error: str
    tell: Callable[[int], None]
    problems: list[tuple[RowProblem, dict[str, Any]]] = field(default_factory=list)
    _bad: set[tuple[str, int]] = field(default_factory=set)

    @property
    def parameters(self) -> dict[str, Any]:
        return self.file.parameters

    @property
    def owner(self) -> str:
        return self.file.owner

    @property
    def jurisdiction(self) -> str:
        return self.file.jurisdiction

    def error(self, row: Row, key: str, code: str, *, suggestion: str | None = None, **details: Any) -> None:
        """The row is refused: a problem at the cell of column `key`."""
        self._note(row.problem(key, code, suggestion=suggestion, **details), details)

    def warning(self, row: Row, key: str, code: str, *, suggestion: str | None = None, **details: Any) -> None:
        """The row is taken, with a remark at the cell of column `key`."""
        self._note(row.problem(key, code, suggestion=suggestion, **details), details)

    def formulas(self, row: Row) -> None:
        """Refuse every formula cell of the row."""
        for problem in row.formula_problems():
            self._note(problem, {})

    def is_good(self, row: Row) -> bool:
        """Whether the row has no error so far."""
        return (row.sheet, row.number) not in self._bad

    @property
    def rejected(self) -> int:
        return len(self._bad)

    @property
    def aborted(self) -> bool:
        """Whether nothing may be written: there are errors, and the import is all or nothing.

        A dry run goes on all the same, to say what its good rows would do.
        """
        return bool(self._bad) and self.on_error == "abort" and not self.dry_run

    def _note(self, problem: RowProblem, details: dict[str, Any]) -> None:
        self.problems.append((problem, details))
        if problem.severity == "error":
            self._bad.add((problem.sheet, problem.row))

    def rows_found(self) -> list[ImportRow]:
        """The problems as they are kept, in the order of the file."""
        ordered = sorted(self.problems, key=lambda p: (p[0].sheet, p[0].row, len(p[0].column), p[0].column))
        return [_kept(self.file.id, n, problem, details) for n, (problem, details) in enumerate(ordered, 1)]


@dataclass(frozen=True)
class ImportKind:
    """A kind of file: its columns, and the service's validator, which also writes the good rows."""

    name: str
    columns: Columns
    apply: Callable[[ImportRun], Counts]
    choices: Callable[[], dict[str, list[str]]] | None = None


def import_job(kinds: tuple[ImportKind, ...]) -> JobKind:
    """The job that runs a service's imports."""
    by_name = {kind.name: kind for kind in kinds}
    return JobKind(IMPORT_JOB, lambda work: _run(work, by_name))


def _run(work: Work, kinds: dict[str, ImportKind]) -> dict[str, Any]:
    file = work.tx.get_one(ImportFile, UUID(work.job.parameters["import"]))
    kind = kinds[file.kind]
    run = _opened(work, file, kind)
    effect = work.tx.begin_nested()
    counts = kind.apply(run)
    result = _result(file, counts) | {
        "rejected": run.rejected,
        "warnings": sum(1 for problem, _ in run.problems if problem.severity == "warning"),
    }
    if run.aborted:
        text = Text(
            f"有 {run.rejected} 行存在错误，未写入任何内容。", f"{run.rejected} rows have errors; nothing was written."
        )
        nothing = result | vars(Counts())
        rows = run.rows_found()
        raise JobFailed("import_has_errors", text, result=nothing, keep=lambda tx: tx.add_all(rows))
    if file.dry_run:
        effect.rollback()
        work.tx.info.pop("notified", None)
    else:
        effect.commit()
        crash_point("import.in_progress")
        sa.event.listen(work.tx, "after_commit", lambda _: crash_point("import.after_commit"), once=True)
    work.tx.add_all(run.rows_found())
    work.tx.flush()
    return result


def _result(file: ImportFile, counts: Counts) -> dict[str, Any]:
    return {"import": str(file.id), "dry_run": file.dry_run} | vars(counts) | {"rejected": 0, "warnings": 0}


def _opened(work: Work, file: ImportFile, kind: ImportKind) -> ImportRun:
    try:
        found = find_tables(read_table(file.content, file.filename, marks=file.marks), kind.columns)
    except FileProblem as problem:
        raise JobFailed(problem.code, problem.text, result=_result(file, Counts())) from problem
    if found.problems:
        first = found.problems[0]
        details = [problem.as_json() for problem in found.problems]
        raise JobFailed(first.code, first.text, result=_result(file, Counts()), errors=details)
    rows = list(found.rows())
    work.tell(0, len(rows))
    told = [0]

    def tell(done: int) -> None:
        if done - told[0] >= TELL_EVERY or done == len(rows):
            told[0] = done
            work.tell(done, len(rows))

    return ImportRun(work.tx, work.today, file, rows, file.dry_run, file.on_error, tell)


def _kept(import_id: UUID, number: int, problem: RowProblem, details: dict[str, Any]) -> ImportRow:
    return ImportRow(
        import_id=import_id,
        number=number,
        sheet=problem.sheet,
        row=problem.row,
        column=problem.column,
        header=problem.header,
        value=problem.value[:1000],
        severity=problem.severity,
        code=problem.code,
        message=problem.message.both(),
        suggestion=problem.suggestion,
        extra=details,
    )
