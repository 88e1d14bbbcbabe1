"""Decisions as answers: items, evaluations, explanations, replays."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlmodel import Session

from services.incentives import rules
from services.incentives.actions.decisions import result_of
from services.incentives.actions.facts import facts_at
from services.incentives.engine import Decision, Facts, canon, decide, explain, facts_from_api, facts_from_stored
from services.incentives.models import StoredDecision
from shared.clock import local_time, utc_now
from shared.problems import Conflict, Fault, Text, Unprocessable

Mode = Literal["as_known_then", "as_known_now"]


@dataclass(frozen=True)
class Remade:
    """A decision made again; `damage` names what of the stored one does not fit its own hashes."""

    decision: Decision | None
    damage: list[str]


def item_out(row: StoredDecision, language: str) -> dict[str, Any]:
    """A stored decision as the contract names it, texts in one language."""
    said = result_of(row)
    item = {
        "id": str(row.id),
        "programme": row.programme,
        "outcome": row.outcome,
        "amounts": said.get("amounts"),
        "reasons": reasons_in(said.get("reasons") or [], language),
        "missing": said.get("missing") or [],
        "rule_set": {"id": row.rule_set, "version": row.rule_set_version, "hash": row.rule_set_hash},
        "facts_hash": row.facts_hash,
        "result_hash": row.result_hash,
        "as_of": row.as_of.isoformat(),
        "known_at": local_time(row.known_at).isoformat(),
        "valid_from": row.valid_from.isoformat(),
        "recorded_at": local_time(row.recorded_at).isoformat(),
    }
    if item["amounts"] is None:
        del item["amounts"]
    return item


def reasons_in(reasons: Any, language: str) -> list[dict[str, Any]]:
    return [{**reason, "text": reason["text"][language]} for reason in reasons]


def evaluation(programme: str, given: dict[str, Any], as_of: date, language: str) -> dict[str, Any]:
    """A decision on given facts that is not stored; 422 names every fact that is not one."""
    if programme not in rules.programmes():
        raise programme_unknown("/programme")
    facts = facts_from_api(given)
    if not isinstance(facts, Facts):
        faults = [Fault("/facts" + p.pointer, p.code, Text(p.text.zh, p.text.en)) for p in facts]
        raise Unprocessable("facts_invalid", Text("事实有误。", "Some facts are not right."), faults=faults)
    _refuse_far_days(facts)
    decision = decide(rules.rule_sets().rule_set_on(programme, as_of), facts, as_of)
    document = decision.document()
    del document["trace"]
    if decision.amounts is None:
        del document["amounts"]
    hashes = {"facts_hash": decision.facts_hash, "result_hash": decision.result_hash}
    return document | hashes | {"programme": programme, "reasons": reasons_in(decision.reasons, language)}


def _refuse_far_days(facts: Facts) -> None:
    """Days beyond the calendar of this service have no end of a term that could be told."""
    far = [name for name, value in facts.values.items() if isinstance(value, date) and value > rules.LAST_DAY]
    events = facts.values.get("env_event") or ()
    far += [f"env_event/{n}/occurred_on" for n, (_, day) in enumerate(events) if day and day > rules.LAST_DAY]
    if far:
        text = Text(f"日期不得晚于 {rules.LAST_DAY}。", f"A date is at most {rules.LAST_DAY}.")
        faults = [Fault("/facts/" + name.replace(".", "/"), "out_of_range", text) for name in far]
        raise Unprocessable("facts_invalid", text, faults=faults)


def programme_unknown(pointer: str) -> Unprocessable:
    known = "、".join(rules.programmes())
    text = Text(f"没有该项目，可用：{known}。", f"There is no such programme; known: {known}.")
    return Unprocessable("programme_unknown", text, faults=[Fault(pointer, "programme_unknown", text)])


def remake(row: StoredDecision) -> Remade:
    """Decide again from the stored facts, the stored day and the stored rules."""
    damage = ["facts"] if canon.sha256(_canonical(row.facts)) != row.facts_hash else []
    if not isinstance(row.facts, dict):
        return Remade(None, ["facts"])
    rule_set = rules.rule_sets().by_hash(row.rule_set_hash)
    if rule_set is None:
        return Remade(None, [*damage, "rule_set"])
    try:
        return Remade(decide(rule_set, facts_from_stored(row.facts, rule_set), row.as_of), damage)
    except ValueError:
        return Remade(None, damage or ["facts"])


def explanation(row: StoredDecision, language: Literal["zh", "en"]) -> dict[str, Any]:
    """The decision condition by condition; 409 where its rules or facts can no longer be read."""
    remade = remake(row)
    if remade.decision is None:
        text = Text("该决定的规则或事实无法读取，无法解释。", "The rules or facts of this decision cannot be read.")
        raise Conflict("not_explainable", text, changed=remade.damage)
    head = {"id": str(row.id), "uscc": row.uscc, "programme": row.programme, "as_of": row.as_of.isoformat()}
    return head | explain(remade.decision, language)


def replay(tx: Session, row: StoredDecision, mode: Mode) -> dict[str, Any]:
    """Decide again, as known then (stored facts) or as known now, and compare with what is stored."""
    remade = remake(row) if mode == "as_known_then" else _as_known_now(tx, row)
    decision, changed = remade.decision, list(remade.damage)
    if decision is not None:
        changed += _differences(row, decision)
    return {
        "mode": mode,
        "identical": not changed,
        "outcome": decision.outcome if decision is not None else None,
        "result_hash": decision.result_hash if decision is not None else None,
        "changed": list(dict.fromkeys(changed)),
    }


def _as_known_now(tx: Session, row: StoredDecision) -> Remade:
    rule_set = rules.rule_sets().by_hash(row.rule_set_hash)
    if rule_set is None:
        return Remade(None, ["rule_set"])
    facts = facts_from_api(facts_at(tx, row.uscc, row.as_of, utc_now()))
    assert isinstance(facts, Facts), "assembled facts have no problems"
    return Remade(decide(rule_set, facts, row.as_of), [])


def _differences(row: StoredDecision, decision: Decision) -> list[str]:
    """The names of what is stored otherwise than it was worked out: columns, then members of the result."""
    made, said = decision.document(), result_of(row)
    found = ["outcome"] if row.outcome != decision.outcome else []
    found += [f"facts.{name}" for name in _changed_names(row.facts, decision.facts)]
    found += [name for name in sorted(made) if canon.dumps(made[name]) != _canonical(said.get(name))]
    if bytes(row.result) != decision.canonical():
        found.append("result")
    if row.result_hash != decision.result_hash:
        found.append("result_hash")
    return found


def _changed_names(stored: dict[str, Any], made: dict[str, Any]) -> list[str]:
    names = sorted(stored.keys() | made.keys())
    return [name for name in names if _canonical(stored.get(name)) != _canonical(made.get(name))]


def _canonical(value: Any) -> str:
    """The canonical text; what has none (a float that somebody put there) is nobody's."""
    try:
        return canon.dumps(value)
    except TypeError:
        return f"not canonical: {value!r}"
