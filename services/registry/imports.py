"""Importing enterprises: every row checked against the code lists and the register, then written in bulk."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.registry.actions.bulk import add_many, change_many
from services.registry.actions.enterprises import lock_newcomers
from services.registry.models import Enterprise
from services.registry.models.enterprises import STATE
from shared.clock import utc_now
from shared.codes import (
    UsccProblem,
    county_by_name,
    division_known,
    industry_code,
    normalise_permit,
    permit_problem,
    uscc_inner_check_ok,
    uscc_problem,
)
from shared.imports import Counts, ImportKind, ImportRun
from shared.spreadsheets import Columns, Row, clean_code, clean_text, load_columns, read_flag

TEXTS = ("name", "legal_representative", "address")
LONGEST = 200


@cache
def columns() -> Columns:
    return load_columns(Path(__file__).parent / "data" / "enterprises_columns.yaml")


_county = cache(county_by_name)
_industry = cache(industry_code)


@dataclass
class _Found:
    """What the rows came to: the good ones by USCC, and where each USCC stood first."""

    known: dict[str, Enterprise]
    codes_by_name: dict[str, str]
    good: dict[str, dict[str, Any]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)


def apply(run: ImportRun) -> Counts:
    """Check every row; then add who is new, change who differs, and leave who is the same alone."""
    lock_newcomers(run.tx)
    codes = [clean_code(row.values.get("uscc")) for row in run.rows]
    wrong = [uscc_problem(uscc) for uscc in codes]
    found = _Found(_known(run.tx, codes), _codes_by_name(run, wrong))
    for done, (row, uscc, problem) in enumerate(zip(run.rows, codes, wrong, strict=True), 1):
        _check(run, row, (uscc, problem), found)
        run.tell(done)
    return Counts() if run.aborted else _written(run, found)


def _known(tx: Session, codes: list[str]) -> dict[str, Enterprise]:
    mine = select(Enterprise).where(col(Enterprise.uscc) == sa.any_(sa.literal(codes, sa.ARRAY(sa.Text))))
    rows = tx.exec(mine.order_by(col(Enterprise.uscc)).with_for_update()).all()
    for row in rows:
        tx.expunge(row)  # written in bulk; the session need not watch them
    return {row.uscc: row for row in rows}


def _codes_by_name(run: ImportRun, wrong: list[UsccProblem | None]) -> dict[str, str]:
    """The registered code of each firm whose code in the file is wrong, where its name is known once."""
    rows = zip(run.rows, wrong, strict=True)
    names = [clean_text(row.values.get("name")) for row, problem in rows if problem]
    if not names:
        return {}
    listed = sa.any_(sa.literal(names, sa.ARRAY(sa.Text)))
    named = sa.select(col(Enterprise.name), sa.func.min(col(Enterprise.uscc))).where(col(Enterprise.name) == listed)
    once = named.group_by(col(Enterprise.name)).having(sa.func.count() == 1)
    return {row[0]: row[1] for row in run.tx.execute(once)}


def _check(run: ImportRun, row: Row, code: tuple[str, UsccProblem | None], found: _Found) -> None:
    uscc, problem = code
    run.formulas(row)
    said = _texts(run, row) | _codes(run, row)
    _check_uscc(run, row, uscc, problem, found)
    known = found.known.get(uscc)
    if known is not None:
        _check_known(run, row, known, said)
    if run.is_good(row):
        found.good[uscc] = {name: value for name, value in said.items() if value is not None}


def _check_uscc(run: ImportRun, row: Row, uscc: str, problem: UsccProblem | None, found: _Found) -> None:
    if problem:
        suggestion = found.codes_by_name.get(clean_text(row.values.get("name")))
        run.error(row, "uscc", problem, suggestion=suggestion)
        return
    seen = found.first.setdefault(uscc, row.number)
    if seen != row.number or (uscc in found.good):
        run.error(row, "uscc", "duplicate_in_file", first_row=seen)
    elif not uscc_inner_check_ok(uscc):
        run.warning(row, "uscc", "uscc_inner_check")


def _check_known(run: ImportRun, row: Row, known: Enterprise, said: dict[str, Any]) -> None:
    if known.status == "deregistered":
        run.error(row, "uscc", "enterprise_deregistered", deregistered_on=str(known.deregistered_on))
    elif known.division and not known.division.startswith(run.jurisdiction):
        run.error(row, "uscc", "enterprise_unknown")
    elif said["name"] and said["name"] != known.name:
        run.warning(row, "name", "name_mismatch", registered=known.name)


def _texts(run: ImportRun, row: Row) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for key in TEXTS:
        said[key] = clean_text(row.values.get(key)) or None
        if said[key] is not None and len(said[key]) > LONGEST:
            run.error(row, key, "value_too_long", limit=LONGEST)
    if said["name"] is None:
        run.error(row, "name", "value_missing")
    return said


def _codes(run: ImportRun, row: Row) -> dict[str, Any]:
    values = row.values
    division = _county(clean_text(values.get("city")), clean_text(values.get("county"))) or ""
    if not division_known(division):
        run.error(row, "county", "division_unknown")
    elif not division.startswith(run.jurisdiction):
        run.error(row, "county", "enterprise_unknown")
    industry = _industry(clean_text(values.get("industry")))
    if industry is None:
        run.error(row, "industry", "industry_unknown")
    return {"division": division, "industry": industry} | _optional_codes(run, row)


def _optional_codes(run: ImportRun, row: Row) -> dict[str, Any]:
    column, given = columns().by_key["above_scale"], row.values.get("above_scale")
    above_scale = read_flag(given, column.choices)
    if above_scale is None and clean_text(given):
        run.error(row, "above_scale", "choice_unknown", choices="、".join(column.offered))
    permit = normalise_permit(clean_text(row.values.get("permit_no"))) or None
    if permit and (problem := permit_problem(permit)):
        run.error(row, "permit_no", problem)
    return {"above_scale": above_scale, "permit_no": permit}


def _written(run: ImportRun, found: _Found) -> Counts:
    blank: dict[str, Any] = dict.fromkeys(STATE)
    fresh = blank | {"status": "active", "version": 1, "valid_from": run.today, "recorded_at": utc_now()}
    added, changed = [], []
    for uscc, said in found.good.items():
        known = found.known.get(uscc)
        if known is None:
            added.append(fresh | said | {"uscc": uscc})
        elif news := _news(known, said):
            since = max(run.today, known.valid_from)
            clocks = {"version": known.version + 1, "valid_from": since, "recorded_at": fresh["recorded_at"]}
            changed.append({name: getattr(known, name) for name in STATE} | news | clocks | {"uscc": uscc})
    add_many(run.tx, added, run.owner)
    change_many(run.tx, changed, run.owner)
    return Counts(len(added), len(changed), len(found.good) - len(added) - len(changed))


def _news(known: Enterprise, said: dict[str, Any]) -> dict[str, Any]:
    """What the file says otherwise than the register; a file that names a pending firm completes it."""
    meant = said | ({"status": "active"} if known.status == "pending" else {})
    return {name: value for name, value in meant.items() if getattr(known, name) != value}


def offered() -> dict[str, list[str]]:
    """What the template's drop-downs offer."""
    return {"above_scale": list(columns().by_key["above_scale"].offered)}


KIND = ImportKind("enterprises", columns(), apply, offered)
