"""The generated list holds exactly the errors that its expectation names, in all three formats."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.codes import county_by_name, industry_code, permit_problem, uscc_inner_check_ok, uscc_problem
from shared.spreadsheets import Row, clean_code, clean_text, find_tables, read_table, split_reasons
from tests.data.firms import divisions, firms
from tests.data.list_rows import expected, expected_json
from tests.data.make_grades import make as make_grades
from tests.data.make_list import make as make_list
from tests.data.make_register import make as make_register
from tests.data.make_smelters import smelters
from tests.unit.spreadsheets.made import ENTERPRISES, LIST, RECORDS, ROOT

COMMITTED = ROOT / "tests/data/list"
Seen = set[tuple[int, str, str]]


def problems_of(rows: list[Row], *, deregistered: str) -> Seen:
    """The problems of the rows against the register that the expectation asks for."""
    register = {firm.uscc: firm.name for firm in firms(expected()["register_rows_needed"])}
    first: dict[str, int] = {}
    seen: Seen = set()
    for row in rows:
        code, name = clean_code(row.values["uscc"]), clean_text(row.values["name"])
        reasons = split_reasons(row.values["reasons"], LIST.by_key["reasons"].choices)
        assert reasons.codes and not reasons.unknown, row.number
        assert county_by_name(clean_text(row.values["city"]), clean_text(row.values["county"])), row.number
        assert industry_code(clean_text(row.values["industry"])), row.number
        if reasons.trailing_separator:
            seen.add((row.number, "G", "trailing_separator"))
        problem = uscc_problem(code)
        if problem:
            seen.add((row.number, "C", problem))
        elif code in first:
            seen.add((row.number, "C", "duplicate_in_file"))
        elif code == deregistered:
            seen.add((row.number, "C", "enterprise_deregistered"))
        elif code not in register:
            seen.add((row.number, "C", "enterprise_not_registered"))
        elif register[code] != name:
            seen.add((row.number, "B", "name_mismatch"))
        first.setdefault(code, row.number)
    return seen


def named(plan: dict[str, Any]) -> Seen:
    return {(entry["row"], entry["column"], entry["code"]) for entry in plan["errors"] + plan["warnings"]}


@pytest.mark.parametrize("suffix", ["xlsx", "xls", "csv"])
def test_the_list_holds_the_planted_errors_and_no_other(suffix: str) -> None:
    found = find_tables(read_table(COMMITTED / f"list_2026.{suffix}", f"list.{suffix}"), LIST)
    assert not found.problems
    rows = list(found.rows())
    plan = expected()
    assert (len(rows), rows[0].number) == (plan["rows_total"], 5)
    assert problems_of(rows, deregistered=plan["deregister_first"]["uscc"]) == named(plan)


def test_the_corrected_list_has_warnings_only() -> None:
    found = find_tables(read_table(COMMITTED / "list_2026_corrected.xlsx", "list.xlsx"), LIST)
    plan = expected()
    rows = list(found.rows())
    assert len(rows) == plan["corrected"]["rows_total"] == 410
    assert problems_of(rows, deregistered=plan["deregister_first"]["uscc"]) == named(plan["corrected"])


def test_five_codes_are_bad_and_three_of_them_have_a_suggestion() -> None:
    bad = [entry for entry in expected()["errors"] if entry["code"].startswith("uscc_")]
    assert len(bad) == 5
    assert [uscc_problem(entry["suggestion"]) for entry in bad if "suggestion" in entry] == [None] * 3


def test_the_committed_files_are_what_the_generator_makes(tmp_path: Path) -> None:
    made = make_list(tmp_path)
    assert sorted(path.name for path in made) == sorted(path.name for path in COMMITTED.iterdir())
    for path in made:
        committed = COMMITTED / path.name
        if path.suffix in (".json", ".csv"):
            assert path.read_bytes() == committed.read_bytes()
        else:
            assert read_table(path, path.name) == read_table(committed, path.name)
    assert json.loads(expected_json())["rows_total"] == 412


def test_the_register_is_valid_and_a_longer_one_begins_with_a_shorter_one() -> None:
    many = list(firms(2_000))
    assert many[:500] == list(firms(500))
    assert len({firm.uscc for firm in many}) == len({firm.name for firm in many}) == 2_000
    assert {firm.city for firm in many[:14]} == {city for city, _, _ in divisions()}
    for firm in many:
        assert uscc_problem(firm.uscc) is None and uscc_inner_check_ok(firm.uscc) and "示例" in firm.name
        assert firm.permit_no == "" or permit_problem(firm.permit_no) is None
        assert county_by_name(firm.city, firm.county) == firm.division


def test_registers_and_grades_are_read_by_their_own_columns(tmp_path: Path) -> None:
    for path in make_register(tmp_path, 30):
        found = find_tables(read_table(path, path.name), ENTERPRISES)
        assert (found.rows_total, found.problems) == (30, ())
    for path in make_grades(tmp_path, 30):
        found = find_tables(read_table(path, path.name), RECORDS)
        assert (found.rows_total, found.problems) == (30, ())


def test_smelters_have_the_four_facts_as_strings() -> None:
    for smelter in smelters(12):
        assert smelter["enterprise"]["industry"] == "3216"
        values = {fact["code"]: fact["value"] for fact in smelter["facts"]}
        assert set(values) == {"al_kwh_per_t", "al_production_kwh", "renewable_share_pct", "grid_account"}
        assert all(isinstance(value, str) for value in values.values())


def test_twenty_thousand_rows_are_read_and_structured(tmp_path: Path) -> None:
    path, _ = make_register(tmp_path, 20_000)
    found = find_tables(read_table(path, path.name), ENTERPRISES)
    assert sum(1 for row in found.rows() if row.values["uscc"]) == 20_000
