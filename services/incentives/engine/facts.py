"""Facts as the API gives them: checked, named by their path, typed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from services.incentives.engine.model import FactSpec, RuleSet, Text
from services.incentives.engine.tables import DATA, read_facts
from shared.numbers import as_written

DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")
WHOLE = re.compile(r"-?[0-9]{1,9}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Facts:
    """Known facts by name (`audit.type`, `vetoes.GF_V1`); a name that is absent is unknown."""

    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FactProblem:
    """Why a body is refused: where (JSON pointer inside `facts`), a stable code, a text."""

    pointer: str
    code: str
    text: Text


class _Refused(Exception):
    def __init__(self, code: str, zh: str, en: str, pointer: str = "") -> None:
        self.code, self.text, self.pointer = code, Text(zh=zh, en=en), pointer


@lru_cache(maxsize=1)
def public_facts() -> tuple[FactSpec, ...]:
    """The fact model of the evaluate call, from the data files."""
    return tuple(read_facts(DATA).values())


def facts_from_api(body: Any, model: tuple[FactSpec, ...] | None = None) -> Facts | list[FactProblem]:
    """The facts of an evaluate body, or everything that is wrong with it; `null` and absent are both unknown."""
    specs = {spec.name: spec for spec in (public_facts() if model is None else model)}
    values: dict[str, Any] = {}
    problems: list[FactProblem] = []
    _walk(body, (), specs, (values, problems))
    for name, value in list(values.items()):
        for implied, given in specs[name].implies.get(str(value), {}).items():
            if values.setdefault(implied, given) != given:
                text = Text(zh=f"与 {name} 相矛盾", en=f"contradicts {name}")
                problems.append(FactProblem(_pointer(implied), "fact_contradicts", text))
    return sorted(problems, key=lambda problem: problem.pointer) if problems else Facts(values)


def facts_from_stored(stored: Mapping[str, Any], rule_set: RuleSet) -> Facts:
    """The facts of a stored decision (`Decision.facts`), as typed values again; ValueError if they are damaged."""
    specs = {spec.name: spec for spec in rule_set.facts}
    try:
        return Facts({name: _value(specs[name], value) for name, value in stored.items()})
    except (KeyError, _Refused) as error:
        raise ValueError("the stored facts do not fit the rule set") from error


def _pointer(*path: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for name in path for part in name.split("."))


Found = tuple[dict[str, Any], list[FactProblem]]


def _walk(body: Any, path: tuple[str, ...], specs: dict[str, FactSpec], found: Found) -> None:
    values, problems = found
    if not isinstance(body, Mapping):
        text = Text(zh="应为对象", en="must be an object")
        problems.append(FactProblem(_pointer(*path), "wrong_type", text))
        return
    for key, value in body.items():
        name = ".".join((*path, str(key)))
        if "." in str(key) or not any(known == name or known.startswith(name + ".") for known in specs):
            text = Text(zh="未知字段", en="unknown field")
            problems.append(FactProblem(_pointer(*path) + _escaped(str(key)), "unknown_field", text))
        elif value is None:
            continue
        elif name not in specs:
            _walk(value, (*path, str(key)), specs, found)
        else:
            try:
                values[name] = _value(specs[name], _told(specs[name], value))
            except _Refused as refused:
                problems.append(FactProblem(_pointer(name) + refused.pointer, refused.code, refused.text))


def _told(spec: FactSpec, value: Any) -> Any:
    """What a caller gives for a number, read liberally: a decimal as a JSON number, a whole number as 2.0 or "2"."""
    if spec.type == "decimal":
        return as_written(value)
    if spec.type == "int" and isinstance(text := as_written(value), str) and WHOLE.fullmatch(text):
        return int(text)
    return value


def _escaped(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _value(spec: FactSpec, value: Any) -> Any:
    read = {
        "bool": _bool, "int": _int, "decimal": _decimal, "date": _date, "code": _code, "text": _text, "events": _events,
    }  # fmt: skip
    return read[spec.type](spec, value)


def _bool(spec: FactSpec, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Refused("wrong_type", "应为 true 或 false", "must be true or false")
    return value


def _int(spec: FactSpec, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Refused("wrong_type", "应为整数", "must be a whole number")
    _check_bounds(spec, Decimal(value))
    return value


def _decimal(spec: FactSpec, value: Any) -> Decimal:
    if isinstance(value, float):
        raise _Refused("decimal_as_string", "小数应以字符串给出", "decimals are given as strings")
    if isinstance(value, bool) or not isinstance(value, str | int) or not DECIMAL.fullmatch(str(value)):
        raise _Refused("wrong_type", "应为十进制数字符串", "must be a decimal string")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise _Refused("wrong_type", "应为十进制数字符串", "must be a decimal string") from error
    _check_bounds(spec, number)
    return number


def _check_bounds(spec: FactSpec, number: Decimal) -> None:
    low, high = spec.minimum, spec.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise _Refused("out_of_range", f"应在 {low} 至 {high} 之间", f"must be between {low} and {high}")


def _date(spec: FactSpec, value: Any) -> date:
    try:
        if isinstance(value, str) and DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise _Refused("not_a_date", "应为 YYYY-MM-DD 日期", "must be a date, YYYY-MM-DD")


def _code(spec: FactSpec, value: Any) -> str:
    if isinstance(value, str):
        for word in (value, value.lower(), value.upper()):
            if (found := spec.aliases.get(word, word)) in spec.codes:
                return found
    raise _Refused("not_a_code", "不在代码表内", f"must be one of {', '.join(spec.codes)}")


def _text(spec: FactSpec, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(spec.pattern or ".{1,200}", value):
        raise _Refused("wrong_type", "格式不符", "does not have the expected form")
    return value


def _events(spec: FactSpec, value: Any) -> tuple[tuple[str | None, date | None], ...]:
    items = value if isinstance(value, list | tuple) else [value]
    events: list[tuple[str | None, date | None]] = []
    for position, item in enumerate(items):
        at = f"/{position}" if isinstance(value, list | tuple) else ""
        if isinstance(item, list | tuple) and len(item) == 2:
            item = {"severity": item[0], "occurred_on": item[1]}
        if not isinstance(item, Mapping):
            raise _Refused("wrong_type", "应为对象", "must be an object", at)
        for key in item:
            if key not in ("severity", "occurred_on"):
                raise _Refused("unknown_field", "未知字段", "unknown field", at + _escaped(str(key)))
        events.append((_part(spec, item, "severity", at), _part(spec, item, "occurred_on", at)))
    return tuple(events)


def _part(spec: FactSpec, item: Mapping[str, Any], key: str, at: str) -> Any:
    if item.get(key) is None:
        return None
    try:
        return _code(spec, item[key]) if key == "severity" else _date(spec, item[key])
    except _Refused as refused:
        raise _Refused(refused.code, refused.text.zh, refused.text.en, f"{at}/{key}") from refused
