"""A rule set turned into closures for the days on which nothing in it changes."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.incentives.engine import canon
from services.incentives.engine.cells import Truth, coerce, comparison
from services.incentives.engine.derived import AMOUNTS, FUNCTIONS, Function, Given, Need
from services.incentives.engine.model import Cell, Clause, Derived, FactSpec, Outcome, Param, Row, RuleSet, TableError
from services.incentives.engine.words import cell_text, threshold_json

Missing = tuple[str, str]
FACT_MISSING, PARAM_UNCONFIRMED = "FACT_MISSING", "PARAM_UNCONFIRMED"
STRENGTH = {"LAW": 7, "NATL": 6, "PROV": 5}
RANKS: dict[str, int] = {
    "manual_review": 4, "conditional": 3, "preferential": 2, "exempt": 2, "eligible": 1, "not_applicable": 0,
}  # fmt: skip
RIGHTS_TAKEN = frozenset({"ineligible", "surcharge"})


@dataclass(frozen=True)
class Column:
    """A cell made ready: where its value is, how it is tested, and the parts of its trace that never change."""

    rule: str
    fact: str
    slot: int
    test: Callable[[Any], bool] | None
    text: dict[str, str]
    threshold: Any
    constant: Any
    clause: str
    lacks: tuple[Missing, ...]
    before: dict[Truth, str]
    after: str


@dataclass(frozen=True)
class Line:
    """A row in force: its groups of columns (by position), the outcome it can have today, and its rank."""

    row: Row
    groups: tuple[tuple[int, ...], ...]
    outcome: Outcome
    rank: int
    clauses: tuple[Clause, ...]
    lacks: tuple[Missing, ...]


@dataclass(frozen=True)
class Step:
    """A derived fact made ready."""

    slot: int
    name: str
    inputs: tuple[int, ...]
    function: Function
    given: Given
    params: dict[str, str]


@dataclass(frozen=True)
class Program:
    """What `decide` runs."""

    facts: tuple[FactSpec, ...]
    names: tuple[str, ...]
    defaults: tuple[Any, ...]
    steps: tuple[Step, ...]
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    amounts: Step | None
    default_clauses: tuple[Clause, ...]
    sorted_facts: tuple[tuple[str, int, str], ...]


def program_on(rule_set: RuleSet, as_of: date) -> Program:
    """The program for a day, compiled once for each stretch between two changes."""
    stretch = bisect_right(rule_set.boundaries, as_of)
    found = rule_set.programs.get(stretch)
    if found is None:
        found = rule_set.programs[stretch] = compile_on(rule_set, as_of)
    assert isinstance(found, Program)
    return found


def compile_on(rule_set: RuleSet, as_of: date) -> Program:
    """Compile without the memory; TableError for a name that is not declared."""
    if rule_set.unresolved:
        raise TableError(f"{rule_set.id} v{rule_set.version}: {'; '.join(rule_set.unresolved)}")
    return _Compiler(rule_set, as_of).program()


class _Compiler:
    def __init__(self, rule_set: RuleSet, as_of: date) -> None:
        self.rule_set, self.as_of = rule_set, as_of
        self.facts = rule_set.named
        self.slots = {name: slot for slot, name in enumerate(self.facts)}
        self.params = {param.name: param for param in rule_set.params}
        self.clauses = {clause.id: clause for clause in rule_set.clauses}
        self.columns: list[Column] = []

    def program(self) -> Program:
        rule_set = self.rule_set
        lines = tuple(self.line(row) for row in rule_set.rows if row.in_force(self.as_of))
        return Program(
            facts=rule_set.facts,
            names=tuple(self.facts),
            defaults=tuple(default_of(fact) for fact in rule_set.facts),
            steps=tuple(self.step(derived) for derived in rule_set.derived),
            columns=tuple(self.columns),
            lines=lines,
            amounts=self.amounts(),
            default_clauses=self.in_force(rule_set.default.clause) if rule_set.default else (),
            sorted_facts=tuple(
                (fact.name, self.slots[fact.name], canon.dumps(fact.name) + ":")
                for fact in sorted(rule_set.facts, key=lambda fact: fact.name)
            ),
        )

    def in_force(self, ids: tuple[str, ...]) -> tuple[Clause, ...]:
        return tuple(self.clauses[id_] for id_ in ids if self.clauses[id_].in_force(self.as_of))

    def usable(self, name: str) -> Any:
        """The parameter's value today, or `None` if there is none that may decide anything."""
        param = self.params[name]
        value = param.on(self.as_of)
        return coerce(value.value, param.type) if value is not None and value.usable else None

    def line(self, row: Row) -> Line:
        clauses = self.in_force(row.clause)
        groups = []
        for group in row.groups:
            first = len(self.columns)
            self.columns += [self.column(row, cell, clauses) for cell in group]
            groups.append(tuple(range(first, len(self.columns))))
        lacks = tuple((name, PARAM_UNCONFIRMED) for name in row.needs_params if self.usable(name) is None)
        if row.outcome in RIGHTS_TAKEN and (row.fixity == "PROPOSED" or row.status == "UNCONFIRMED"):
            lacks += ((row.id, PARAM_UNCONFIRMED),)
        outcome: Outcome = "manual_review" if lacks else row.outcome
        rank = RANKS[outcome] if outcome in RANKS else STRENGTH[row.fixity]
        return Line(row, tuple(groups), outcome, rank, clauses, lacks)

    def column(self, row: Row, cell: Cell, clauses: tuple[Clause, ...]) -> Column:
        fact = self.facts[cell.fact]
        lacks: tuple[Missing, ...] = ()
        threshold = cell.value
        if cell.param is not None:
            threshold = self.usable(cell.param)
            lacks = ((cell.param, PARAM_UNCONFIRMED),) if threshold is None else ()
        if not lacks and threshold is not None:
            threshold = coerce(threshold, fact.type)
        text = cell_text(fact, cell.op, threshold, self.params.get(cell.param or ""))
        clause, shown = clauses[0].id if clauses else "", threshold_json(threshold)
        if cell.op in ("true", "false"):
            shown = cell.op == "true"
        fixed = {"rule": row.id, "text": text, "threshold": shown}
        before = {
            truth: canon.dumps({"clause": clause, "fact": cell.fact, "result": word})[:-1] + ","
            for truth, word in ((True, "true"), (False, "false"), (None, "unknown"))
        }
        return Column(
            rule=row.id, fact=cell.fact, slot=self.slots[cell.fact],
            test=None if lacks else comparison(cell.op, threshold, fact.type),
            text=text, threshold=shown, constant=threshold, clause=clause, lacks=lacks, before=before,
            after=canon.dumps(fixed)[1:-1] + ',"value":',
        )  # fmt: skip

    def given(self, params: dict[str, str], constants: dict[str, Any]) -> Given:
        by_year: dict[str, Param] = {
            local: self.params[name]
            for local, name in params.items()
            if any(value.from_year is not None for value in self.params[name].values)
        }
        values = {local: self.usable(name) for local, name in params.items() if local not in by_year}
        return Given(values, constants, by_year)

    def step(self, derived: Derived) -> Step:
        return Step(
            self.slots[derived.name], derived.name, tuple(self.slots[name] for name in derived.inputs),
            FUNCTIONS[derived.function], self.given(derived.params, dict(derived.constants)), derived.params,
        )  # fmt: skip

    def amounts(self) -> Step | None:
        declared = self.rule_set.amounts
        if declared is None:
            return None
        inputs = tuple(self.slots[name] for name in declared.inputs)
        given = self.given(declared.params, {})
        return Step(-1, "amounts", inputs, AMOUNTS[declared.function], given, declared.params)


def default_of(fact: FactSpec) -> Any:
    """The value that counts where the fact is absent; an explicit empty list is 'no event recorded'."""
    if fact.default is None:
        return None
    return tuple(fact.default) if fact.type == "events" else coerce(fact.default, fact.type)


def lacking(program: Program, slot: int, needs: dict[int, Need]) -> tuple[Missing, ...]:
    """The facts and parameters for want of which a slot is unknown, derived facts followed to their inputs."""
    need = needs.get(slot)
    if need is None:
        return ((program.names[slot], FACT_MISSING),)
    step = next(step for step in program.steps if step.slot == slot)
    found: list[Missing] = []
    for position in need.inputs:
        found += lacking(program, step.inputs[position], needs)
    return (*found, *((step.params[name], PARAM_UNCONFIRMED) for name in need.params))
