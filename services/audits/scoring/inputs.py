"""Reading a scoring request against its index system, every fault at once."""

from collections.abc import Mapping
from decimal import Decimal

from services.audits.scoring.answers import read_answers
from services.audits.scoring.problems import ScoreProblems
from services.audits.scoring.request import Faults, Given, Inputs, ScoreRequest, read_decimal
from services.audits.scoring.systems import DecisionRule, IndexSystem, Param, ParamKind, Share


def read_inputs(system: IndexSystem, request: ScoreRequest) -> Inputs:
    """The request as typed inputs; raises `ScoreProblems` with every fault found."""
    faults = Faults()
    rule = _read_rule(system, request.decision_rule, faults)
    choices = _read_choices(system, request.params, faults)
    numbers = _read_numbers(system, request.params, faults)
    given = read_answers(system, request.indicators, faults)
    outputs = _read_outputs(system, request.product_mix or {}, faults)
    inputs = Inputs(rule, given, numbers, choices, outputs)
    _check_needs(system, inputs, request.params, faults)
    if faults:
        raise ScoreProblems(tuple(faults))
    return inputs


def _read_rule(system: IndexSystem, wanted: str | None, faults: Faults) -> DecisionRule:
    name = system.decision_rule if wanted is None else wanted
    if name not in system.rules:
        known = ", ".join(sorted(system.rules))
        zh, en = f"未知的判定规则；可用：{known}", f"no such decision rule; known: {known}"
        faults.add("decision_rule_unknown", ("decision_rule",), zh, en)
        name = system.decision_rule
    return system.rules[name]


def _read_choices(system: IndexSystem, raw: Mapping[str, object], faults: Faults) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key, param in system.params.items():
        if param.kind is not ParamKind.ROWS or key not in raw:
            continue
        rows, allowed = raw[key], system.choices_of(key)
        listed = tuple(rows) if isinstance(rows, list | tuple) else ()
        if not listed or not all(row in allowed for row in listed) or len(set(listed)) != len(listed):
            zh = f"应为互不重复且非空的指标编号：{'、'.join(allowed)}"
            en = f"list distinct ids out of {', '.join(allowed)}, at least one"
            faults.add("param_invalid", ("params", key), zh, en)
        else:
            found[key] = listed
    return found


def _read_numbers(system: IndexSystem, raw: Mapping[str, object], faults: Faults) -> dict[str, Decimal]:
    names: dict[str, tuple[Param, Decimal]] = {}
    for param in system.params.values():
        if param.kind is ParamKind.NUMBER:
            names[param.id] = (param, Decimal(0))
            names |= {alias: (param, added) for alias, added in param.aliases.items()}
    found: dict[str, Decimal] = {}
    for key, value in raw.items():
        if key in system.params and key not in names:
            continue
        if key not in names:
            zh, en = "该指标体系没有此参数", "the index system has no such parameter"
            faults.add("param_invalid", ("params", key), zh, en)
            continue
        param, added = names[key]
        number = read_decimal(value)
        if number is None or number != int(number) or number + added < param.minimum:
            low = param.minimum - added
            zh, en = f"应为不小于 {low} 的整数", f"give a whole number of at least {low}"
            faults.add("param_invalid", ("params", key), zh, en)
        elif found.setdefault(param.id, number + added) != number + added:
            zh, en = "与同义参数的值不一致", "it contradicts the same parameter under its other name"
            faults.add("param_invalid", ("params", key), zh, en)
    return found


def _read_outputs(system: IndexSystem, raw: Mapping[str, object], faults: Faults) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    shared = {key for key, group in system.weight_groups.items() if group.share is Share.OUTPUT}
    for key, value in raw.items():
        place = ("product_mix", key)
        output = read_decimal(value)
        if key not in system.indicators:
            faults.add("indicator_unknown", place, "该指标体系没有此指标", "the index system has no such indicator")
        elif system.indicators[key].weight_group not in shared:
            zh, en = "该指标不按产量分配权重", "this indicator's weight is not shared by output"
            faults.add("param_invalid", place, zh, en)
        elif output is None or output < 0:
            zh, en = "产量应为非负的十进制数字符串", "give the output as a decimal string, not negative"
            faults.add("value_invalid", place, zh, en)
        else:
            found[key] = output
    for group in shared:
        named = [found[row] for row in system.rows_of(group) if row in found]
        if named and not any(named):
            zh, en = f"权重组 {group} 的产量合计为零", f"the outputs of weight group {group} sum to zero"
            faults.add("param_invalid", ("product_mix",), zh, en)
    return found


def _check_needs(system: IndexSystem, inputs: Inputs, raw: Mapping[str, object], faults: Faults) -> None:
    measured = [key for key, found in inputs.given.items() if _is_measured(system, inputs, key, found)]
    needed = {name for key in measured for name in system.indicators[key].names}
    for group in system.weight_groups.values():
        rows = [row for row in system.rows_of(group.id) if not inputs.is_excused(row)]
        if group.param is not None and rows:
            needed.add(group.param)
        stated = [row for row in rows if row in inputs.given]
        mixed = any(row in inputs.outputs for row in system.rows_of(group.id))
        if group.share is Share.OUTPUT and len(stated) > 1 and not mixed:
            zh = f"须给出各产品产量以分配权重：{'、'.join(stated)}"
            faults.add("product_mix_required", ("product_mix",), zh, f"give the output of {', '.join(stated)}")
    for key in system.params:
        aliases = system.params[key].aliases
        if key in needed and key not in raw and not any(alias in raw for alias in aliases):
            name = system.params[key].name
            faults.add("param_missing", ("params", key), f"缺少参数：{name.zh}", f"the parameter is missing: {name.en}")


def _is_measured(system: IndexSystem, inputs: Inputs, key: str, found: Given) -> bool:
    """Whether the row's value will be held against its thresholds: it has one, and its product has output."""
    group = system.indicators[key].weight_group
    mixed = group is not None and any(row in inputs.outputs for row in system.rows_of(group))
    return found.value is not None and (not mixed or bool(inputs.outputs.get(key)))
