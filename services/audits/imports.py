"""Reading an annual list: every row is checked, and the good rows replace the draft."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.audits import law
from services.audits.actions.copies import DEREGISTERED, codes_by_name, enterprises_of
from services.audits.actions.lists import get_list, require_draft
from services.audits.models import AuditRound, EnterpriseCopy, ListEntry, Track
from services.audits.models.rounds import ENDED
from shared.codes import county_by_name, industry_code, uscc_problem
from shared.codes.uscc import USCC_CHECK_DIGIT
from shared.imports import Counts, ImportKind, ImportRun
from shared.spreadsheets import Row, clean_code, clean_text, load_columns, split_reasons

COLUMNS = load_columns(Path(__file__).parent / "data" / "list_columns.yaml")
REASONS = COLUMNS.by_key["reasons"].choices
LIMITS = {"name": 200, "remark": 500}
Place = tuple[str, int]


@dataclass(frozen=True)
class Known:
    """What the rows are checked against."""

    enterprises: Mapping[str, EnterpriseCopy]
    codes_by_name: Mapping[str, str]
    mandatory_open: frozenset[str]
    first_rows: dict[str, Row]


def apply_list(run: ImportRun) -> Counts:
    """Check every row, then replace the draft's entries by the good ones."""
    listed = get_list(run.tx, UUID(run.parameters["list"]), lock=True)
    require_draft(listed)
    known = _known(run.tx, run.rows)
    made: list[ListEntry] = []
    for done, row in enumerate(run.rows, 1):
        entry = _check(run, row, known)
        if entry is not None and run.is_good(row):
            entry.list_id, entry.position = listed.id, len(made) + 1
            entry.legal_basis_status = law.legal_basis_status(entry.categories, run.today)
            made.append(entry)
        run.tell(done)
    if run.aborted:
        return Counts()
    counts = _replace(run.tx, listed.id, made)
    listed.version += 1
    return counts


def _known(tx: Session, rows: list[Row]) -> Known:
    codes = {clean_code(row.values.get("uscc")) for row in rows}
    names = {clean_text(row.values.get("name")) for row in rows}
    running = select(AuditRound.uscc).where(
        col(AuditRound.uscc).in_(codes), AuditRound.track == Track.MANDATORY, col(AuditRound.state).not_in(ENDED)
    )
    return Known(enterprises_of(tx, [*codes]), codes_by_name(tx, [*names]), frozenset(tx.exec(running)), {})


def _check(run: ImportRun, row: Row, known: Known) -> ListEntry | None:
    run.formulas(row)
    uscc, name = _identity(run, row, known)
    if uscc is None:
        _check_rest(run, row)
        return None
    enterprise = known.enterprises.get(uscc)
    if enterprise is not None and enterprise.status == DEREGISTERED:
        day = enterprise.deregistered_on
        run.error(row, "uscc", "enterprise_deregistered", deregistered_on=day.isoformat() if day else "—")
        _check_rest(run, row)
        return None
    if enterprise is None:
        run.warning(row, "uscc", "enterprise_not_registered")
    elif name and _plain(name) != _plain(enterprise.name):
        run.warning(row, "name", "name_mismatch", suggestion=enterprise.name, registered=enterprise.name)
    if uscc in known.mandatory_open:
        run.warning(row, "uscc", "round_open")
    division, categories = _division(run, row, enterprise), _categories(run, row)
    return ListEntry(
        list_id=UUID(int=0),
        position=0,
        uscc=uscc,
        name=name,
        division=division,
        industry=_industry(run, row, enterprise),
        categories=categories,
        remark=_text(run, row, "remark"),
    )


def _check_rest(run: ImportRun, row: Row) -> None:
    """The other cells of a row whose enterprise is no use: who mends the file sees every fault at once."""
    if clean_text(row.values.get("county")):
        _division(run, row, None)
    _industry(run, row, None)
    _categories(run, row)


def _identity(run: ImportRun, row: Row, known: Known) -> tuple[str | None, str]:
    """The code (None where it is no use) and the name."""
    name, uscc = _text(run, row, "name"), clean_code(row.values.get("uscc"))
    if not name and "name" not in row.formula_keys():
        run.error(row, "name", "value_missing")
    if "uscc" in row.formula_keys():
        return None, name
    if not uscc:
        run.error(row, "uscc", "value_missing", suggestion=known.codes_by_name.get(name))
        return None, name
    if problem := uscc_problem(uscc):
        suggestion = known.codes_by_name.get(name) if problem == USCC_CHECK_DIGIT else None
        run.error(row, "uscc", problem, suggestion=suggestion)
        return None, name
    first = known.first_rows.setdefault(uscc, row)
    if first is not row:
        run.error(row, "uscc", "duplicate_in_file", first_row=first.number, first_sheet=first.sheet)
        return None, name
    return uscc, name


def _plain(name: str) -> str:
    """A name without blanks and with brackets of one width."""
    return "".join(name.split()).replace("（", "(").replace("）", ")")


def _text(run: ImportRun, row: Row, key: str) -> str:
    text = clean_text(row.values.get(key)).replace("\x00", "")
    if len(text) > LIMITS[key]:
        run.error(row, key, "value_too_long", limit=LIMITS[key])
    return text


def _division(run: ImportRun, row: Row, enterprise: EnterpriseCopy | None) -> str:
    """The county of the row; a registered firm whose county is left out is where the register says."""
    city, county = clean_text(row.values.get("city")), clean_text(row.values.get("county"))
    if not county and enterprise is not None and (not city or _in_city(city, enterprise.division)):
        return enterprise.division
    found = county_by_name(city, county) if county else None
    if found is None:
        run.error(row, "county" if county or not city else "city", "division_unknown")
        return ""
    return found


def _in_city(city: str, division: str) -> bool:
    return county_by_name(city, division) is not None


def _industry(run: ImportRun, row: Row, enterprise: EnterpriseCopy | None) -> str:
    text = clean_text(row.values.get("industry"))
    if not text:
        return enterprise.industry if enterprise else ""
    found = industry_code(text)
    if found is None:
        run.error(row, "industry", "industry_unknown")
    return found or ""


def _categories(run: ImportRun, row: Row) -> list[str]:
    """The categories in the order in which the law names them."""
    reasons = split_reasons(row.values.get("reasons"), REASONS)
    if reasons.unknown:
        run.error(row, "reasons", "reason_unknown", unknown="、".join(reasons.unknown), choices="、".join(REASONS))
    elif not reasons.codes and "reasons" not in row.formula_keys():
        run.error(row, "reasons", "value_missing")
    elif reasons.trailing_separator:
        run.warning(row, "reasons", "trailing_separator", suggestion=reasons.written(REASONS))
    return [code for code in law.categories() if code in reasons.codes]


def _replace(tx: Session, list_id: UUID, made: list[ListEntry]) -> Counts:
    """Entries of before give way; an enterprise that stays keeps its entry's id."""
    before = {entry.uscc: entry for entry in tx.exec(select(ListEntry).where(ListEntry.list_id == list_id))}
    counts = Counts()
    for entry in made:
        held = before.pop(entry.uscc, None)
        if held is None:
            tx.add(entry)
            counts.created += 1
        elif _take(held, entry):
            counts.updated += 1
        else:
            counts.unchanged += 1
    gone = [entry.id for entry in before.values()]
    if gone:
        tx.execute(sa.delete(ListEntry).where(col(ListEntry.id).in_(gone)))
    tx.flush()
    return counts


_CONTENT = ("name", "division", "industry", "categories", "remark", "legal_basis_status")


def _take(held: ListEntry, entry: ListEntry) -> bool:
    """Give an entry the content of its newer row; whether that changed anything but its place."""
    changed = any(getattr(held, name) != getattr(entry, name) for name in _CONTENT)
    for name in (*_CONTENT, "position"):
        if getattr(held, name) != getattr(entry, name):
            setattr(held, name, getattr(entry, name))
    return changed


LIST_IMPORT = ImportKind("list", COLUMNS, apply_list)
