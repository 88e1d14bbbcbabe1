"""Reading what a request says of each indicator."""

from collections.abc import Mapping

from services.audits.scoring.levels import Level
from services.audits.scoring.request import Faults, Given, read_decimal
from services.audits.scoring.systems import IndexSystem, Indicator, Kind

Place = tuple[str, ...]


def read_answers(system: IndexSystem, raw: Mapping[str, object], faults: Faults) -> dict[str, Given]:
    """What is said of each indicator, by id; an unknown id or an unusable answer is a fault."""
    found: dict[str, Given] = {}
    for key, answer in raw.items():
        place = ("indicators", key)
        indicator = system.indicators.get(key)
        if indicator is None:
            faults.add("indicator_unknown", place, "该指标体系没有此指标", "the index system has no such indicator")
            continue
        given = _read(indicator, answer, place, faults)
        if given is not None:
            found[key] = given
    return found


def _read(indicator: Indicator, answer: object, place: Place, faults: Faults) -> Given | None:
    if not isinstance(answer, Mapping):
        return _read_value(indicator, answer, {}, (place, place), faults)
    if "not_applicable" in answer:
        return _read_excuse(answer, place, faults)
    unknown = [str(key) for key in answer if key != "value" and key not in indicator.conditions]
    for key in unknown:
        faults.add("value_invalid", (*place, key), "未知的字段", "no such field or condition")
    conditions: dict[str, bool] = {}
    for key in indicator.conditions:
        if isinstance(answer.get(key), bool):
            conditions[key] = answer[key]
        elif key in answer:
            faults.add("value_invalid", (*place, key), "条件应为 true 或 false", "a condition is true or false")
            unknown.append(key)
    if unknown:
        return None
    if "value" in answer:
        return _read_value(indicator, answer["value"], conditions, (place, (*place, "value")), faults)
    if conditions.keys() == indicator.conditions.keys() and conditions:
        return Given(conditions=conditions)
    faults.add("value_invalid", (*place, "value"), "缺少指标值", "the value is missing")
    return None


def _read_excuse(answer: Mapping[str, object], place: Place, faults: Faults) -> Given | None:
    reason = answer["not_applicable"]
    if not isinstance(reason, str) or not reason.strip() or not _is_text(reason):
        place = (*place, "not_applicable")
        faults.add("reason_required", place, "“不适用”须说明理由", "not applicable needs a reason")
        return None
    for key in answer:
        if key != "not_applicable":
            zh, en = "“不适用”不能同时给出其他值", "not applicable excludes other values"
            faults.add("value_invalid", (*place, key), zh, en)
            return None
    return Given(not_applicable=reason.strip())


def _is_text(text: str) -> bool:
    """Whether it is text that can be written down: JSON lets half a surrogate pair through."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_value(
    indicator: Indicator, raw: object, conditions: Mapping[str, bool], places: tuple[Place, Place], faults: Faults
) -> Given | None:
    whole, place = places
    if isinstance(raw, str) and raw in Level.__members__:
        return _read_level(indicator, Level(raw), conditions, place, faults)
    if indicator.kind is Kind.QUALITATIVE:
        faults.add("value_invalid", place, "定性指标应为 I、II、III 或 BELOW", "give I, II, III or BELOW")
        return None
    value = read_decimal(raw)
    if value is None:
        faults.add("value_invalid", place, "应为十进制数字符串", "give a number as a decimal string")
        return None
    if indicator.minimum is not None and value < indicator.minimum:
        low = indicator.minimum
        faults.add("value_invalid", place, f"数值不能小于 {low}", f"the value cannot be less than {low}")
        return None
    missing = [key for key in indicator.conditions if key not in conditions]
    for key in missing:
        text = indicator.conditions[key]
        faults.add("condition_missing", (*whole, key), f"须说明条件：{text.zh}", f"say whether {text.en}")
    return None if missing else Given(value=value, conditions=conditions)


def _read_level(
    indicator: Indicator, level: Level, conditions: Mapping[str, bool], place: Place, faults: Faults
) -> Given | None:
    if level is not Level.BELOW and level not in indicator.thresholds:
        zh, en = f"该指标没有 {level} 级基准值", f"the indicator defines no Level {level}"
        faults.add("level_not_defined", place, zh, en)
        return None
    wanted = indicator.thresholds[level].conditions if level is not Level.BELOW else ()
    if any(conditions.get(key) is False for key in wanted):
        faults.add("value_invalid", place, "所给等级与条件矛盾", "the level contradicts a condition that is not met")
        return None
    return Given(level=level, conditions=conditions)
