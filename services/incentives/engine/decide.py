"""The evaluation of a rule set: facts in, an outcome with its reasons and the whole trace out."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from services.incentives.engine import canon
from services.incentives.engine.cells import WORDS, Truth, any_of
from services.incentives.engine.compile import RANKS, Line, Missing, Program, lacking, program_on
from services.incentives.engine.derived import Need
from services.incentives.engine.facts import Facts
from services.incentives.engine.model import Clause, Outcome, RuleSet

DEFAULT_RULE, NOT_IN_FORCE = "DEFAULT", "NOT_IN_FORCE"
NOT_IN_FORCE_TEXT = {"en": "the rules were not in force on that day", "zh": "该日规则尚未施行或已失效"}


@dataclass(frozen=True, eq=False)
class Decision:
    """An answer that can be told, stored and replayed; `facts` are the known ones the table names, as JSON."""

    rule_set: RuleSet
    as_of: date
    outcome: Outcome
    amounts: dict[str, Any] | None
    reasons: list[dict[str, Any]]
    missing: list[dict[str, str]]
    program: Program
    values: list[Any]
    truths: list[Truth]
    facts_json: str

    @property
    def trace(self) -> list[dict[str, Any]]:
        """Every cell of every row in force: rule, fact, text, value, threshold, result, clause."""
        return [
            {
                "clause": column.clause, "fact": column.fact, "result": WORDS[truth], "rule": column.rule,
                "text": dict(column.text), "threshold": column.threshold,
                "value": canon.jsonable(self.values[column.slot]),
            }
            for column, truth in zip(self.program.columns, self.truths, strict=True)
        ]  # fmt: skip

    @property
    def facts(self) -> dict[str, Any]:
        """What to store so that `facts_from_stored` gives the same decision again."""
        return {
            name: canon.jsonable(value)
            for (name, slot, _) in self.program.sorted_facts
            if (value := self.values[slot]) is not None
        }

    @cached_property
    def facts_hash(self) -> str:
        return canon.sha256(self.facts_json)

    @cached_property
    def result_hash(self) -> str:
        return canon.sha256(self.canonical())

    def canonical(self) -> bytes:
        """The decision as canonical JSON, the same bytes in every process."""
        cells = zip(self.program.columns, self.truths, strict=True)
        trace = ",".join([c.before[truth] + c.after + _json(self.values[c.slot]) + "}" for c, truth in cells])
        rule_set = self.rule_set
        # Keys by hand in sorted order: the trace is most of the bytes and its fixed parts were serialised once.
        return (
            f'{{"amounts":{canon.dumps(self.amounts)},"as_of":"{self.as_of.isoformat()}"'
            f',"facts":{self.facts_json},"missing":{canon.dumps(self.missing)}'
            f',"outcome":"{self.outcome}","reasons":{canon.dumps(self.reasons)}'
            f',"rule_set":{{"hash":"{rule_set.hash}","id":{canon.dumps(rule_set.id)},"version":{rule_set.version}}}'
            f',"trace":[{trace}]}}'
        ).encode()

    def document(self) -> dict[str, Any]:
        """The same content as `canonical`, as a JSON-ready mapping."""
        rule_set = self.rule_set
        return {
            "amounts": self.amounts, "as_of": self.as_of.isoformat(), "facts": self.facts, "missing": self.missing,
            "outcome": self.outcome, "reasons": self.reasons, "trace": self.trace,
            "rule_set": {"hash": rule_set.hash, "id": rule_set.id, "version": rule_set.version},
        }  # fmt: skip


def decide(rule_set: RuleSet, facts: Facts, as_of: date) -> Decision:
    """Evaluate a table for a day; a day outside the rule set's dates is `not_applicable`."""
    program = program_on(rule_set, as_of)
    values, needs = _values(program, facts, as_of)
    truths: list[Truth] = [
        None if (value := values[column.slot]) is None or column.test is None else column.test(value)
        for column in program.columns
    ]
    facts_json = _facts_json(program, values)
    if not rule_set.in_force(as_of):
        reason = {"clause": "", "rule": NOT_IN_FORCE, "text": dict(NOT_IN_FORCE_TEXT)}
        return Decision(rule_set, as_of, "not_applicable", None, [reason], [], program, values, truths, facts_json)
    verdict = _VERDICTS[rule_set.hit](program, [line_truth(line, truths) for line in program.lines], rule_set)
    missing = _missing(program, verdict, (values, needs, truths))
    amounts = _amounts(program, verdict, values, as_of)
    reasons = _reasons(rule_set, program, verdict)
    return Decision(rule_set, as_of, verdict.outcome, amounts, reasons, missing, program, values, truths, facts_json)


def line_truth(line: Line, truths: list[Truth]) -> Truth:
    """A row holds if every group holds; a group holds if one of its cells does."""
    found: Truth = True
    for group in line.groups:
        truth = truths[group[0]] if len(group) == 1 else any_of([truths[cell] for cell in group])
        if truth is False:
            return False
        if truth is None:
            found = None
    return found


def _values(program: Program, facts: Facts, as_of: date) -> tuple[list[Any], dict[int, Need]]:
    get = facts.values.get
    values: list[Any] = [
        default if (value := get(fact.name)) is None else value
        for fact, default in zip(program.facts, program.defaults, strict=True)
    ]
    values += [None] * len(program.steps)
    needs: dict[int, Need] = {}
    for step in program.steps:
        found = step.function([values[slot] for slot in step.inputs], step.given, as_of)
        if isinstance(found, Need):
            needs[step.slot] = found
        else:
            values[step.slot] = found
    return values, needs


def _json(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date):
        return f'"{value.isoformat()}"'
    if isinstance(value, Decimal):
        return f'"{canon.plain_decimal(value)}"'
    return canon.dumps(value)


def _facts_json(program: Program, values: list[Any]) -> str:
    known = [key + _json(values[slot]) for (_, slot, key) in program.sorted_facts if values[slot] is not None]
    return "{" + ",".join(known) + "}"


@dataclass(frozen=True)
class Verdict:
    """The outcome with the rows that gave it and the undecided rows that stood in the way."""

    outcome: Outcome
    lines: list[Line]
    doubts: list[Line]


def _combine(program: Program, rows: list[Truth], rule_set: RuleSet) -> Verdict:
    """The highest-ranking matched row wins, unless an undecided row ranks higher and says something else."""
    matched = [line for line, truth in zip(program.lines, rows, strict=True) if truth]
    best, rank = _default_outcome(rule_set)
    for line in matched:
        if line.rank > rank:
            best, rank = line.outcome, line.rank
    doubts = [
        line
        for line, truth in zip(program.lines, rows, strict=True)
        if truth is None and line.rank > rank and line.outcome != best
    ]
    if doubts:
        best = "manual_review"
    flagged = [line for line in matched if line.outcome == best or line.row.flag]
    return Verdict(best, flagged, doubts)


def _first(program: Program, rows: list[Truth], rule_set: RuleSet) -> Verdict:
    """The first row that matches; an undecided row before it makes a review."""
    doubts: list[Line] = []
    for line, truth in zip(program.lines, rows, strict=True):
        if truth and not doubts:
            return Verdict(line.outcome, [line], [])
        if truth:
            break
        if truth is None:
            doubts.append(line)
    return Verdict("manual_review", [], doubts) if doubts else Verdict(_default_outcome(rule_set)[0], [], [])


def _unique(program: Program, rows: list[Truth], rule_set: RuleSet) -> Verdict:
    """The only row that matches; two at once are a fault of the table and a review."""
    matched = [line for line, truth in zip(program.lines, rows, strict=True) if truth]
    if len(matched) == 1:
        return Verdict(matched[0].outcome, matched, [])
    if matched:
        return Verdict("manual_review", matched, [])
    doubts = [line for line, truth in zip(program.lines, rows, strict=True) if truth is None]
    return Verdict("manual_review", [], doubts) if doubts else Verdict(_default_outcome(rule_set)[0], [], [])


_VERDICTS = {"combine": _combine, "first": _first, "unique": _unique}


def _default_outcome(rule_set: RuleSet) -> tuple[Outcome, int]:
    outcome: Outcome = rule_set.default.outcome if rule_set.default else "manual_review"
    return outcome, RANKS[outcome]


Looked = tuple[list[Any], dict[int, Need], list[Truth]]


def _missing(program: Program, verdict: Verdict, looked: Looked) -> list[dict[str, str]]:
    if verdict.outcome != "manual_review":
        return []
    values, needs, truths = looked
    found: dict[Missing, None] = {}
    for line in verdict.lines:
        found |= dict.fromkeys(line.lacks)
    for line in verdict.doubts:
        for group in line.groups:
            if any(truths[cell] for cell in group):
                continue
            for column in (program.columns[cell] for cell in group if truths[cell] is None):
                found |= dict.fromkeys(column.lacks)
                if values[column.slot] is None:
                    found |= dict.fromkeys(lacking(program, column.slot, needs))
    return [{"code": code, "fact": fact} for fact, code in found]


def _amounts(program: Program, verdict: Verdict, values: list[Any], as_of: date) -> dict[str, Any] | None:
    step = program.amounts
    if step is None or verdict.outcome == "manual_review" or not any(line.row.amounts for line in verdict.lines):
        return None
    amounts = step.function([values[slot] for slot in step.inputs], step.given, as_of)
    assert isinstance(amounts, dict)
    return amounts


def _cited(clauses: tuple[Clause, ...]) -> str:
    return clauses[0].id if clauses else ""


def _reasons(rule_set: RuleSet, program: Program, verdict: Verdict) -> list[dict[str, Any]]:
    reasons = [
        {"clause": _cited(line.clauses), "rule": line.row.id, "text": {"en": line.row.text.en, "zh": line.row.text.zh}}
        for line in verdict.lines
    ]
    for line in verdict.doubts:
        en, zh = f"cannot be decided yet: {line.row.text.en}", f"尚不能判定：{line.row.text.zh}"
        reasons.append({"clause": _cited(line.clauses), "rule": line.row.id, "text": {"en": en, "zh": zh}})
    decided = any(line.outcome == verdict.outcome for line in verdict.lines) or verdict.doubts
    if not decided and rule_set.default is not None:
        text = {"en": rule_set.default.text.en, "zh": rule_set.default.text.zh}
        reasons.append({"clause": _cited(program.default_clauses), "rule": DEFAULT_RULE, "text": text})
    return reasons
