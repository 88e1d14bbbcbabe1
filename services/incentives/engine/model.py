"""The parts of a decision table as they are written in YAML."""

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.incentives.engine import canon

Outcome = Literal[
    "eligible", "preferential", "conditional", "ineligible", "surcharge", "exempt", "not_applicable", "manual_review"
]
Fixity = Literal["LAW", "NATL", "PROV", "PROPOSED"]
FactType = Literal["bool", "int", "decimal", "date", "code", "text", "events"]
Scalar = bool | int | str | date
Op = Literal["=", "!=", "in", "<", "<=", ">", ">=", "between", "any", "true", "false", "known"]

USABLE = frozenset({"CONFIRMED", "CONFIRMED_SECONDARY", "PROPOSED", "CONFIG"})


class TableError(ValueError):
    """A rule set, parameter or fact file that cannot be read; the message names the file and what is wrong."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Text(Part):
    """A sentence for a person, in both languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def in_language(self, lang: str) -> str:
        return self.en if lang == "en" else self.zh


class Dated(Part):
    """Something in force from a day to a day, both included; no end is `null`."""

    since: date | None = Field(default=None, alias="from")
    until: date | None = Field(default=None, alias="to")

    def in_force(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


class Clause(Dated):
    """A place in a legal text that can be cited, such as `GF13#15`."""

    id: str
    zh: str
    en: str
    confidence: str | None = None


class FactSpec(Part):
    """A fact a table may name: its type, its words, its bounds. `default` counts where the fact is absent."""

    name: str
    type: FactType
    label: Text
    codes: dict[str, Text] = {}
    aliases: dict[str, str] = {}
    implies: dict[str, dict[str, Scalar]] = {}
    pattern: str | None = None
    minimum: Decimal | None = Field(default=None, alias="min")
    maximum: Decimal | None = Field(default=None, alias="max")
    default: Any = None
    optional: bool = False
    note: Text | None = None


class ParamValue(Dated):
    """One value of a parameter; `from_year` where the year of the price chooses, not the day of the decision."""

    value: Scalar | None
    status: str
    confidence: str | None = None
    from_year: int | None = None

    @property
    def usable(self) -> bool:
        return self.value is not None and self.status in USABLE


class Param(Part):
    """A figure of policy with its law, its confidence and its dates."""

    name: str
    type: Literal["int", "decimal", "date", "code", "text"]
    label: Text
    unit: str | None = None
    clause: str
    values: tuple[ParamValue, ...]

    def on(self, day: date) -> ParamValue | None:
        return next((value for value in self.values if value.in_force(day)), None)


class Derived(Part):
    """A fact worked out by a named pure function from other facts and parameters."""

    name: str
    type: FactType
    label: Text
    function: str
    inputs: tuple[str, ...]
    params: dict[str, str] = {}
    constants: dict[str, Scalar | list[Scalar]] = {}


class Cell(Part):
    """One comparison of one fact; the threshold is a value or the name of a parameter."""

    fact: str
    op: Op
    value: Scalar | list[Scalar] | None = None
    param: str | None = None


class AnyOf(Part):
    """Cells of which one is enough."""

    any_of: tuple[Cell, ...]


class Row(Dated):
    """A row: every entry of `when` holds, then the outcome, on the strength of a clause."""

    id: str
    when: tuple[AnyOf | Cell, ...]
    outcome: Outcome
    fixity: Fixity
    confidence: str | None
    status: str = "CONFIRMED"
    clause: tuple[str, ...]
    text: Text
    needs_params: tuple[str, ...] = ()
    amounts: bool = False
    flag: bool = False

    @property
    def groups(self) -> tuple[tuple[Cell, ...], ...]:
        return tuple(entry.any_of if isinstance(entry, AnyOf) else (entry,) for entry in self.when)


class Default(Part):
    """What holds when every fact is known and no row matches."""

    outcome: Outcome
    clause: tuple[str, ...]
    text: Text


class Amounts(Part):
    """The named arithmetic that gives a row its figures."""

    function: str
    inputs: tuple[str, ...]
    params: dict[str, str] = {}


class RuleSet(Dated):
    """A version of one programme's table, with the facts, parameters and clauses it names."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: str
    version: int
    programme: str
    kind: Literal["programme", "tariff"]
    title: Text
    hit: Literal["combine", "first", "unique"]
    default: Default | None
    outcome_texts: dict[str, Text] = {}
    facts: tuple[FactSpec, ...]
    derived: tuple[Derived, ...] = ()
    amounts: Amounts | None = None
    rows: tuple[Row, ...]
    params: tuple[Param, ...] = ()
    clauses: tuple[Clause, ...] = ()
    unresolved: tuple[str, ...] = Field(default=(), exclude=True)
    golden: tuple[dict[str, Any], ...] = Field(default=(), exclude=True)

    def altered(self, **changes: Any) -> "RuleSet":
        """Another rule set with some fields changed; unlike `model_copy` it keeps no hash or compiled form."""
        return RuleSet(**{name: getattr(self, name) for name in RuleSet.model_fields} | changes)

    def definition(self) -> dict[str, Any]:
        """Everything a decision can depend on, as plain JSON."""
        document = canon.jsonable(self.model_dump(by_alias=True))
        assert isinstance(document, dict)
        return document

    @cached_property
    def named(self) -> "dict[str, FactSpec | Derived]":
        """Facts and derived facts by name, in the order of their slots."""
        facts: dict[str, FactSpec | Derived] = {fact.name: fact for fact in self.facts}
        return facts | {derived.name: derived for derived in self.derived}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical form: another row, parameter, clause or default is another hash."""
        return canon.sha256(canon.dumps(self.definition()))

    @cached_property
    def programs(self) -> dict[int, Any]:
        """Compiled forms, one for each stretch of days in which nothing changes."""
        return {}

    @cached_property
    def boundaries(self) -> tuple[date, ...]:
        """The first days of the stretches in which the same rows, clauses and values are in force."""
        dated: list[Dated] = [self, *self.rows, *self.clauses, *(value for p in self.params for value in p.values)]
        starts = {item.since for item in dated if item.since}
        ends = {date.fromordinal(item.until.toordinal() + 1) for item in dated if item.until}
        return tuple(sorted(starts | ends))
