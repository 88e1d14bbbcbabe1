"""Reading index systems and decision rules from YAML."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from services.audits.scoring.levels import GRADES, Level
from services.audits.scoring.lint import lint
from services.audits.scoring.systems import (
    DecisionRule,
    Group,
    IndexSystem,
    Indicator,
    Kind,
    Param,
    ParamKind,
    Share,
    Step,
    Text,
    WeightGroup,
)
from services.audits.scoring.thresholds import Direction, Threshold, parse_formula
from shared.datafiles import read_data

DATA = Path(__file__).parent.parent / "data"
SYSTEMS = DATA / "index_systems"
RULES = DATA / "decision_rules.yaml"


class SystemInvalid(Exception):
    """A file does not hold a usable index system; the message names the file and every fault."""


def load_systems(*folders: Path, rules: Path = RULES) -> dict[str, IndexSystem]:
    """Every index system in these folders (the product's own when none is named), by id; `SystemInvalid` on a fault."""
    known = load_rules(rules)
    found: dict[str, IndexSystem] = {}
    for folder in folders or (SYSTEMS,):
        for path in sorted(folder.glob("*.yaml")):
            system = load_system(path, known)
            if system.id in found:
                raise SystemInvalid(f"{path.name}: {system.id} is already loaded from another file")
            found[system.id] = system
    return found


def load_system(path: Path, rules: Mapping[str, DecisionRule]) -> IndexSystem:
    """One index system, linted; its oddities are kept in `warnings`."""
    try:
        system = _system(read_data(path), rules)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, yaml.YAMLError) as error:
        raise SystemInvalid(f"{path.name}: {type(error).__name__}: {error}") from error
    findings = lint(system)
    errors = [finding.message for finding in findings if finding.severity == "error"]
    if errors:
        raise SystemInvalid(f"{path.name}: " + "; ".join(errors))
    return replace(system, warnings=tuple(finding.message for finding in findings))


def load_rules(path: Path = RULES) -> dict[str, DecisionRule]:
    """The decision tables, by id."""
    raw = read_data(path)
    return {key: _rule(key, value) for key, value in raw.items()}


def _rule(key: str, raw: Mapping[str, Any]) -> DecisionRule:
    names = {Level(level): _text(text) for level, text in raw["level_names"].items()}
    return DecisionRule(key, raw["confidence"], tuple(_step(step) for step in raw["steps"]), names)


def _step(raw: Mapping[str, Any]) -> Step:
    ((operator, number),) = raw["index"].items()
    if operator not in {"ge", "eq"}:
        raise ValueError(f"an index cannot be compared by {operator!r}")
    other = raw.get("non_limiting")
    return Step(Level(raw["level"]), Level(raw["limiting"]), Level(other) if other else None, operator, Decimal(number))


def _system(raw: Mapping[str, Any], rules: Mapping[str, DecisionRule]) -> IndexSystem:
    rows = [_indicator(row) for row in raw["indicators"]]
    if len({row.id for row in rows}) != len(rows):
        raise ValueError("an indicator id occurs twice")
    return IndexSystem(
        id=raw["id"],
        name=_name(raw),
        doc_no=raw["doc_no"],
        industry_codes=tuple(raw["industry_codes"]),
        decision_rule=raw["decision_rule"],
        weight_status=raw["weight_status"],
        source=raw["source"],
        params={key: _param(key, value) for key, value in (raw.get("params") or {}).items()},
        groups=tuple(Group(group["id"], _name(group), _number(group["weight"])) for group in raw["groups"]),
        weight_groups={key: _weight_group(key, value) for key, value in (raw.get("weight_groups") or {}).items()},
        indicators={row.id: row for row in rows},
        rules=rules,
    )


def _indicator(raw: Mapping[str, Any]) -> Indicator:
    kind = Kind(raw["kind"])
    return Indicator(
        id=raw["id"],
        name=_name(raw),
        group=raw["group"],
        unit=raw["unit"],
        weight=_number(raw.get("weight")),
        weight_group=raw.get("weight_group"),
        limiting=raw["limiting"],
        kind=kind,
        direction=Direction(raw["direction"]),
        thresholds={level: _threshold(kind, raw[level]) for level in GRADES if raw[level] is not None},
        conditions={key: _text(value) for key, value in raw.get("conditions", {}).items()},
        minimum=_number(raw["minimum"]) if "minimum" in raw else Decimal(0),
        note=_text(raw["note"]) if "note" in raw else None,
        confidence=raw.get("confidence"),
    )


def _threshold(kind: Kind, raw: Any) -> Threshold:
    if kind is Kind.QUALITATIVE:
        return Threshold(wording=str(raw))
    parts = raw if isinstance(raw, Mapping) else {"at": raw}
    at, upper = (parse_formula(_string(parts[key])) if key in parts else None for key in ("at", "upper"))
    return Threshold(at, upper, tuple(parts.get("conditions", ())))


def _param(key: str, raw: Mapping[str, Any]) -> Param:
    aliases = {name: Decimal(_string(added)) for name, added in raw.get("aliases", {}).items()}
    return Param(key, ParamKind(raw["kind"]), _text(raw), _number(raw.get("minimum")) or Decimal(0), aliases)


def _weight_group(key: str, raw: Mapping[str, Any]) -> WeightGroup:
    return WeightGroup(key, Decimal(_string(raw["weight"])), Share(raw["share"]), raw.get("param"))


def _name(raw: Mapping[str, Any]) -> Text:
    return Text(raw["name_zh"], raw["name_en"])


def _text(raw: Mapping[str, Any]) -> Text:
    return Text(raw["zh"], raw["en"])


def _number(raw: object) -> Decimal | None:
    return None if raw is None else Decimal(_string(raw))


def _string(raw: object) -> str:
    # A bare 0.1 in YAML is a float; figures are quoted so that the decimal is the one printed.
    if not isinstance(raw, str):
        raise TypeError(f"{raw!r} must be written as a quoted decimal")
    return raw
