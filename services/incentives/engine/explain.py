"""A decision told to a person, condition by condition, in one language."""

from typing import Any, Literal

from services.incentives.engine.compile import FACT_MISSING, PARAM_UNCONFIRMED
from services.incentives.engine.decide import Decision
from services.incentives.engine.model import Text

OUTCOMES = {
    "eligible": Text(zh="符合条件", en="eligible"),
    "preferential": Text(zh="优先支持", en="eligible, with preference"),
    "conditional": Text(zh="附条件符合", en="eligible under conditions"),
    "ineligible": Text(zh="不符合条件", en="not eligible"),
    "surcharge": Text(zh="加价", en="surcharge applies"),
    "exempt": Text(zh="豁免", en="exempt"),
    "not_applicable": Text(zh="不适用", en="does not apply"),
    "manual_review": Text(zh="需人工审查", en="manual review"),
}
MISSING = {
    FACT_MISSING: Text(zh="缺少事实", en="this fact is missing"),
    PARAM_UNCONFIRMED: Text(zh="参数尚未确认", en="this parameter is not confirmed"),
}


def explain(decision: Decision, lang: Literal["zh", "en"]) -> dict[str, Any]:
    """`{outcome, outcome_text, reasons, conditions, missing, clauses}`; texts in `lang`, values as in the trace."""
    return {
        "outcome": decision.outcome,
        "outcome_text": outcome_text(decision).in_language(lang),
        "amounts": decision.amounts,
        "reasons": [{**reason, "text": reason["text"][lang]} for reason in decision.reasons],
        "conditions": [{**cell, "text": cell["text"][lang]} for cell in decision.trace],
        "missing": [
            {**item, "label": _label(decision, item["fact"], lang), "text": MISSING[item["code"]].in_language(lang)}
            for item in decision.missing
        ],
        "clauses": _clauses(decision, lang),
    }


def outcome_text(decision: Decision) -> Text:
    """The outcome in words; a programme may have words of its own."""
    return decision.rule_set.outcome_texts.get(decision.outcome, OUTCOMES[decision.outcome])


def _label(decision: Decision, name: str, lang: str) -> str:
    rule_set = decision.rule_set
    named: dict[str, Text] = {item.name: item.label for item in rule_set.named.values()}
    named |= {param.name: param.label for param in rule_set.params}
    named |= {row.id: row.text for row in rule_set.rows}
    return named[name].in_language(lang)


def _clauses(decision: Decision, lang: str) -> dict[str, str]:
    """The words of every clause the decision cites."""
    cited = {cell["clause"] for cell in decision.trace} | {reason["clause"] for reason in decision.reasons}
    return {
        clause.id: clause.en if lang == "en" else clause.zh
        for clause in decision.rule_set.clauses
        if clause.id in cited
    }
