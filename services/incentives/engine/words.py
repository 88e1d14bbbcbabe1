"""The sentences a cell makes of its label, its operator and its threshold."""

from typing import Any

from services.incentives.engine import canon
from services.incentives.engine.cells import SIGNS
from services.incentives.engine.model import Derived, FactSpec, Param, Text

YES_NO = {True: Text(zh="是", en="yes"), False: Text(zh="否", en="no")}


def threshold_json(threshold: Any) -> Any:
    """A threshold as it appears in a trace: decimals and days as strings."""
    return canon.jsonable(threshold)


def value_text(fact: FactSpec | Derived, value: Any, lang: str) -> str:
    """A value in words: codes by their names, lists joined."""
    if isinstance(value, list | tuple):
        return ("、" if lang == "zh" else ", ").join(value_text(fact, item, lang) for item in value)
    if isinstance(value, bool):
        return YES_NO[value].in_language(lang)
    codes = fact.codes if isinstance(fact, FactSpec) else {}
    if value in codes:
        return codes[value].in_language(lang)
    return str(canon.jsonable(value))


def cell_text(fact: FactSpec | Derived, op: str, threshold: Any, param: Param | None) -> dict[str, str]:
    """What the cell asks, in zh and en."""
    shown = {lang: "" if threshold is None else value_text(fact, threshold, lang) for lang in ("zh", "en")}
    if param is not None:
        unit = f" {param.unit}" if param.unit else ""
        if threshold is None:
            shown = {"zh": param.label.zh, "en": param.label.en}
        else:
            shown = {
                "zh": f"{param.label.zh}（{shown['zh']}{unit}）", "en": f"{param.label.en} ({shown['en']}{unit})"
            }  # fmt: skip
    sign = SIGNS[op]
    zh = f"{fact.label.zh}{sign.zh}{shown['zh']}"
    return {"en": f"{fact.label.en} {sign.en} {shown['en']}".rstrip(), "zh": zh}
