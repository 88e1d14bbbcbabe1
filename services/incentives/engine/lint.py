"""What is wrong with a rule set before it is published."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from services.incentives.engine.cells import Truth
from services.incentives.engine.compile import RIGHTS_TAKEN, Program, compile_on
from services.incentives.engine.decide import line_truth
from services.incentives.engine.model import Derived, FactSpec, RuleSet, TableError

MOST_COMBINATIONS = 200_000
COMBINABLE = frozenset({"ineligible", "manual_review", "conditional", "preferential", "eligible"})


@dataclass(frozen=True, order=True)
class LintProblem:
    """A stable code, the row (or the rule set) it concerns, and a sentence."""

    code: str
    where: str
    text: str


def lint(rule_set: RuleSet) -> list[LintProblem]:
    """All problems, sorted; an unknown name or a misread cell hides the checks that need a compiled table."""
    problems = {*_references(rule_set), *_rows(rule_set), *_golden(rule_set)}
    if rule_set.unresolved:
        return sorted(problems)
    try:
        for day in stretches(rule_set):
            program = compile_on(rule_set, day)
            problems |= {*_basis(program, day), *_combinations(rule_set, program)}
        problems |= set(_dead(rule_set))
    except TableError as error:
        problems.add(LintProblem("bad_cell", rule_set.id, str(error)))
    return sorted(problems)


def stretches(rule_set: RuleSet) -> list[date]:
    """The first day of every stretch in which the rule set is in force."""
    return [day for day in rule_set.boundaries if rule_set.in_force(day)]


def _references(rule_set: RuleSet) -> Iterator[LintProblem]:
    for sentence in rule_set.unresolved:
        yield LintProblem("unknown_" + sentence.split()[1], rule_set.id, sentence)
    names = [row.id for row in rule_set.rows]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield LintProblem("duplicate_row", name, "two rows have this id")
    if rule_set.kind == "tariff":
        inputs = {name for derived in rule_set.derived for name in derived.inputs}
        for name in sorted({fact.name for fact in rule_set.facts} | inputs):
            if name == "audit" or name.startswith("audit"):
                yield LintProblem("audit_in_tariff", name, "an audit never moves a power price")


def _rows(rule_set: RuleSet) -> Iterator[LintProblem]:
    for row in rule_set.rows:
        if not row.clause:
            yield LintProblem("missing_citation", row.id, "the row cites no clause")
        if row.outcome in RIGHTS_TAKEN and row.fixity == "PROPOSED":
            yield LintProblem("right_without_basis", row.id, "a proposed row may not exclude or charge")
        if rule_set.hit == "combine" and row.outcome not in COMBINABLE:
            yield LintProblem("not_combinable", row.id, f"{row.outcome} has no place in the order of outcomes")
        if row.amounts and rule_set.amounts is None:
            yield LintProblem("no_amounts", row.id, "the rule set declares no arithmetic")


def _golden(rule_set: RuleSet) -> Iterator[LintProblem]:
    proved = {rule for case in rule_set.golden for rule in case["expect"].get("rules", ())}
    for row in rule_set.rows:
        if row.id not in proved:
            yield LintProblem("no_golden_case", row.id, "no golden case expects this row")


def _basis(program: Program, day: date) -> Iterator[LintProblem]:
    for line in program.lines:
        if line.row.clause and not line.clauses:
            yield LintProblem("expired_basis", line.row.id, f"no cited clause is in force on {day}")


def points(fact: FactSpec | Derived, constants: set[Any]) -> list[Any]:
    """Values that tell every cell of a fact apart: its codes, or its constants with their neighbours."""
    if fact.type == "bool":
        return [True, False]
    if isinstance(fact, FactSpec) and fact.codes:
        return list(fact.codes)
    if fact.type == "text":
        return sorted(constants | {"\x00another"})
    steps: dict[str, Any] = {"int": 1, "decimal": Decimal("0.001"), "date": timedelta(days=1)}
    step = steps[fact.type]
    fallback: dict[str, Any] = {"int": 0, "decimal": Decimal(0), "date": date(2000, 1, 1)}
    around = {value for constant in constants for value in (constant - step, constant, constant + step)}
    low, high = (fact.minimum, fact.maximum) if isinstance(fact, FactSpec) else (None, None)
    inside = [v for v in around if (low is None or v >= low) and (high is None or v <= high)]
    return sorted(inside) or [fallback[fact.type]]


def _space(rule_set: RuleSet, program: Program) -> dict[int, list[Any]]:
    """For each slot the rows look at, the values worth trying."""
    facts = list(rule_set.named.values())
    constants: dict[int, set[Any]] = {column.slot: set() for column in program.columns}
    for column in program.columns:
        if column.constant is not None and facts[column.slot].type not in ("bool", "code"):
            items = column.constant if isinstance(column.constant, tuple) else (column.constant,)
            constants[column.slot] |= set(items)
    return {slot: points(facts[slot], found) for slot, found in constants.items()}


def _worlds(rule_set: RuleSet, program: Program) -> Iterator[list[Truth]]:
    """The truth of every row in every combination of values, derived facts taken as free."""
    space = _space(rule_set, program)
    size = 1
    for values in space.values():
        size *= len(values)
    if size > MOST_COMBINATIONS:
        raise TableError(f"{size} combinations are too many to check; split the table")
    slots = list(space)
    position = {slot: index for index, slot in enumerate(slots)}
    tests = [(position[column.slot], column.test) for column in program.columns]
    for world in product(*space.values()):
        truths: list[Truth] = [None if test is None else test(world[index]) for index, test in tests]
        yield [line_truth(line, truths) for line in program.lines]


def _combinations(rule_set: RuleSet, program: Program) -> Iterator[LintProblem]:
    """Gaps where nothing is said, overlaps where two rows of a `unique` table speak at once."""
    if rule_set.hit == "combine" and rule_set.default is not None:
        return
    gap = False
    for truths in _worlds(rule_set, program):
        matched = [line.row.id for line, truth in zip(program.lines, truths, strict=True) if truth]
        if rule_set.hit == "unique" and len(matched) > 1:
            yield LintProblem("overlap", matched[1], f"also matches where {matched[0]} does")
        gap = gap or not (matched or any(truth is None for truth in truths))
    if gap and rule_set.default is None:
        yield LintProblem("gap", rule_set.id, "some combination matches no row and there is no default")


def _dead(rule_set: RuleSet) -> Iterator[LintProblem]:
    """Rows that can decide nothing on any day: never true, or always behind an earlier or a stronger row."""
    alive: set[str] = set()
    for day in stretches(rule_set):
        program = compile_on(rule_set, day)
        pending = {line.row.id for line in program.lines} - alive
        if not pending:
            continue
        for truths in _worlds(rule_set, program):
            alive |= _deciding(rule_set, program, truths)
            if pending <= alive:
                break
    for row in rule_set.rows:
        if row.id not in alive:
            yield LintProblem("dead_row", row.id, "no combination of facts lets this row decide")


def _deciding(rule_set: RuleSet, program: Program, truths: list[Truth]) -> set[str]:
    possible = [line for line, truth in zip(program.lines, truths, strict=True) if truth is not False]
    if rule_set.hit == "first":
        return {line.row.id for line in possible[:1]}
    strongest = max((line.rank for line in possible), default=0)
    return {line.row.id for line in possible if rule_set.hit == "unique" or line.rank == strongest}
