"""A rule set shown to people and machines: JSON with its hash, or an HTML table."""

from html import escape
from typing import Any

from services.incentives.engine import canon
from services.incentives.engine.explain import OUTCOMES
from services.incentives.engine.model import Cell, Row, RuleSet
from services.incentives.engine.words import cell_text


def render_json(rule_set: RuleSet) -> dict[str, Any]:
    """The definition with its hash: the hash is SHA-256 of the canonical form of all the rest."""
    return {**rule_set.definition(), "hash": rule_set.hash}


def render_html(rule_set: RuleSet, lang: str = "zh") -> str:
    """A page with one table row for each rule; every text escaped, nothing loaded from elsewhere."""
    heads = (
        ("规则", "条件", "结论", "说明", "效力", "可信度", "起", "止", "依据")
        if lang == "zh"
        else ("Rule", "Conditions", "Outcome", "Text", "Fixity", "Confidence", "From", "To", "Basis")
    )
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    rows = "".join(_row(rule_set, row, lang) for row in rule_set.rows)
    default = ""
    if rule_set.default is not None:
        words = OUTCOMES[rule_set.default.outcome].in_language(lang)
        default = f"<p>DEFAULT: {escape(words)} — {escape(rule_set.default.text.in_language(lang))}</p>"
    title = escape(rule_set.title.in_language(lang))
    return (
        f'<!DOCTYPE html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">'
        f"<title>{title}</title></head><body><h1>{title}</h1>"
        f"<p>{escape(rule_set.id)} v{rule_set.version} · {escape(rule_set.hit)} · sha256 {rule_set.hash}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{default}{_params(rule_set, lang)}"
        "</body></html>"
    )


def _row(rule_set: RuleSet, row: Row, lang: str) -> str:
    clauses = {clause.id: clause.en if lang == "en" else clause.zh for clause in rule_set.clauses}
    basis = "; ".join(f"{id_} {clauses.get(id_, '')}".strip() for id_ in row.clause)
    words = rule_set.outcome_texts.get(row.outcome, OUTCOMES[row.outcome]).in_language(lang)
    status = "" if row.status == "CONFIRMED" else f" ({row.status})"
    columns = (
        row.id, _conditions(rule_set, row, lang), words, row.text.in_language(lang), row.fixity + status,
        row.confidence or "", str(row.since or ""), str(row.until or ""), basis,
    )  # fmt: skip
    return "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in columns) + "</tr>"


def _conditions(rule_set: RuleSet, row: Row, lang: str) -> str:
    params = {param.name: param for param in rule_set.params}

    def told(cell: Cell) -> str:
        return cell_text(rule_set.named[cell.fact], cell.op, cell.value, params.get(cell.param or ""))[lang]

    either, also = (" 或 ", "；且 ") if lang == "zh" else (" or ", "; and ")
    return also.join(either.join(told(cell) for cell in group) for group in row.groups)


def _params(rule_set: RuleSet, lang: str) -> str:
    lines = []
    for param in rule_set.params:
        for value in param.values:
            shown = "null" if value.value is None else str(canon.jsonable(value.value))
            begun = str(value.from_year or value.since or "")
            columns = (param.name, param.label.in_language(lang), shown, param.unit or "", begun, value.status,
                       value.confidence or "", param.clause)  # fmt: skip
            lines.append("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in columns) + "</tr>")
    return f"<table><tbody>{''.join(lines)}</tbody></table>" if lines else ""
