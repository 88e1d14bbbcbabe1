"""What lint finds, and that the published tables are clean."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.incentives.engine import Facts, RuleSet, TableError, decide, lint, load_rule_sets
from services.incentives.engine.model import Row
from services.incentives.engine.tables import resolve

TOY = Path(__file__).parent / "toy"


def toy() -> RuleSet:
    return load_rule_sets(TOY).rule_set_on("toy.grade", date(2022, 1, 1))


def with_row(rule_set: RuleSet, id_: str, **changes: Any) -> RuleSet:
    rows = tuple(
        Row.model_validate(row.model_dump(by_alias=True) | changes) if row.id == id_ else row for row in rule_set.rows
    )
    changed = rule_set.altered(rows=rows)
    params = {param.name: param for param in rule_set.params}
    return resolve(changed, params, {clause.id: clause for clause in rule_set.clauses}, rule_set.golden)


def codes(rule_set: RuleSet) -> set[tuple[str, str]]:
    return {(problem.code, problem.where) for problem in lint(rule_set)}


@pytest.mark.parametrize("rule_set", [*load_rule_sets(), *load_rule_sets(TOY)], ids=lambda r: r.id)
def test_a_published_table_has_no_problem(rule_set: RuleSet) -> None:
    assert lint(rule_set) == []


def cell(**parts: Any) -> list[dict[str, Any]]:
    return [{"fact": "mass", **parts}]


FAULTS: list[tuple[str, dict[str, Any], set[tuple[str, str]]]] = [
    ("T3", {"clause": []}, {("missing_citation", "T3")}),
    ("T3", {"fixity": "PROPOSED"}, {("right_without_basis", "T3")}),
    ("T3", {"when": cell(op="between", value=[101, 1000])}, {("gap", "toy.grade")}),
    ("T4", {"when": cell(op=">=", value=1000)}, {("overlap", "T4")}),
    ("T4", {"when": [*cell(op=">", value=1000), *cell(op="<", value=5)]}, {("gap", "toy.grade"), ("dead_row", "T4")}),
    ("T4", {"when": [{"fact": "height", "op": ">", "value": 1}]}, {("unknown_fact", "toy.grade")}),
    ("T1", {"when": cell(op="<=", param="toy.other")}, {("unknown_parameter", "toy.grade")}),
    ("T4", {"clause": ["TOY#9"]}, {("unknown_clause", "toy.grade")}),
    ("T4", {"when": cell(op="true")}, {("bad_cell", "toy.grade")}),
    ("T4", {"when": cell(op=">", value="heavy")}, {("bad_cell", "toy.grade")}),
    ("T4", {"id": "T9"}, {("no_golden_case", "T9")}),
    ("T4", {"id": "T3"}, {("duplicate_row", "T3")}),
    ("T4", {"amounts": True}, {("no_amounts", "T4")}),
]


@pytest.mark.parametrize(("row", "changes", "expected"), FAULTS, ids=[min(f[2])[0] + f[0] for f in FAULTS])
def test_lint_finds_the_fault(row: str, changes: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert codes(with_row(toy(), row, **changes)) == expected


def test_a_proposed_row_excludes_nobody_even_if_it_is_loaded() -> None:
    decision = decide(with_row(toy(), "T3", fixity="PROPOSED"), Facts({"mass": Decimal(500)}), date(2022, 1, 1))
    assert (decision.outcome, decision.missing) == ("manual_review", [{"code": "PARAM_UNCONFIRMED", "fact": "T3"}])


def test_a_basis_that_expires_before_its_row_is_found() -> None:
    rule_set = toy()
    ended = rule_set.clauses[0].model_copy(update={"until": date(2023, 6, 30)})
    assert codes(rule_set.altered(clauses=(ended,))) == {("expired_basis", f"T{number}") for number in range(1, 5)}


def test_a_row_behind_a_wider_one_is_dead_where_the_first_match_wins() -> None:
    rule_set = with_row(toy(), "T3", when=cell(op="any")).altered(hit="first")
    assert codes(rule_set) == {("dead_row", "T4")}


def test_a_row_always_outranked_is_dead_where_outcomes_combine() -> None:
    everywhere = with_row(toy(), "T3", when=cell(op="known")).altered(hit="combine")
    assert codes(everywhere) >= {("dead_row", "T2"), ("dead_row", "T4"), ("not_combinable", "T1")}


def test_an_audit_fact_in_a_price_table_is_found() -> None:
    tariff = load_rule_sets().rule_set_on("tariff.al", date(2025, 1, 1))
    audit = next(r for r in load_rule_sets() if r.id == "finance.recommend").facts[0]
    assert ("audit_in_tariff", "audit.type") in codes(tariff.altered(facts=(*tariff.facts, audit)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("colour: red", "colour"),
        ("version: 1.5", "float"),
        ("hit: [", "toy.bad.yaml"),
        ("facts: [{name: nobody_knows}]", "nobody_knows"),
        ("programme: toy.other", "toy.other"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, line: str, message: str) -> None:
    text = (TOY / "rule_sets" / "toy.grade.v1.yaml").read_text(encoding="utf-8")
    key = line.split(":")[0]
    kept = [kept_line for kept_line in text.splitlines() if not kept_line.startswith(f"{key}:")]
    if key == "facts":
        kept = [kept_line for kept_line in kept if "name: mass" not in kept_line]
    (tmp_path / "rule_sets").mkdir()
    (tmp_path / "parameters").symlink_to(TOY / "parameters")
    (tmp_path / "programmes.yaml").symlink_to(TOY / "programmes.yaml")
    (tmp_path / "rule_sets" / "toy.bad.yaml").write_text("\n".join([*kept, line]), encoding="utf-8")
    with pytest.raises(TableError, match=message):
        load_rule_sets(tmp_path)


def test_a_version_is_chosen_by_the_day() -> None:
    rule_sets = load_rule_sets()
    assert rule_sets.rule_set_on("tariff.al", date(2026, 1, 1)).version == 1
    assert rule_sets.rule_set_on("tariff.al", date(2000, 1, 1)).version == 1
    with pytest.raises(KeyError):
        rule_sets.rule_set_on("tariff.zinc", date(2026, 1, 1))
    tariff = rule_sets.rule_set_on("tariff.al", date(2026, 1, 1))
    assert rule_sets.by_hash(tariff.hash) is tariff
    assert rule_sets.version("tariff.al", 2) is None


def test_the_newer_of_two_versions_in_force_answers() -> None:
    old = load_rule_sets().rule_set_on("tariff.al", date(2026, 1, 1))
    new = old.altered(version=2, since=date(2026, 7, 1))
    both = type(load_rule_sets())((new, old), {})
    assert both.rule_set_on("tariff.al", date(2026, 6, 30)) is old
    assert both.rule_set_on("tariff.al", date(2026, 7, 1)) is new
