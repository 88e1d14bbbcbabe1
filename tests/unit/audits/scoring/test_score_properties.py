"""What holds of every score, whatever the enterprise."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audits.scoring import Level, ScoreRequest, load_systems, score
from services.audits.scoring.loading import SYSTEMS as FOLDER

SYSTEM = load_systems()["ELECTROPLATING_2015_T1"]
RAW = yaml.safe_load((Path(FOLDER) / "electroplating_2015_t1.yaml").read_text(encoding="utf-8"))
METALS = [f"e{number:02}" for number in range(6, 13)]
RANK = {"I": 3, "II": 2, "III": 1, "BELOW": 0}
KINDS = ["I", "II", "III", "BELOW", "NA", "ABSENT"]
rules = st.sampled_from(["RULE_2013", "RULE_2018"])
plated = st.lists(st.sampled_from(METALS), min_size=1, unique=True)
# Weighted towards Level I, where the thresholds of 85 lie.
pictures = st.fixed_dictionaries({key: st.sampled_from(["I"] * 12 + KINDS) for key in SYSTEM.indicators})


def request(picture: dict[str, str], metals: list[str], rule: str) -> ScoreRequest:
    answers: dict[str, object] = {
        key: {"not_applicable": "not on this site"} if kind == "NA" else kind
        for key, kind in picture.items()
        if kind != "ABSENT"
    }
    return ScoreRequest(answers, {"metals": metals}, rule)


def by_hand(picture: dict[str, str], metals: list[str], rule: str) -> tuple[list[Fraction], str]:
    """The same rules in exact fractions, straight from the file."""
    groups = {group["id"]: Fraction(group["weight"]) for group in RAW["groups"]}
    rows: dict[str, list[tuple[Fraction, int, bool]]] = {}
    for row in RAW["indicators"]:
        kind = picture[row["id"]]
        if kind == "NA" or (row["id"] in METALS and row["id"] not in metals):
            continue
        weight = Fraction("0.8") / len(metals) if row["id"] in METALS else Fraction(row["weight"])
        rows.setdefault(row["group"], []).append((weight, RANK.get(kind, 0), row["limiting"]))
    whole = sum(groups[key] for key in rows)
    index = [Fraction(0)] * 3
    for key, members in rows.items():
        inside = sum(weight for weight, _, _ in members)
        for place, rank in enumerate((3, 2, 1)):
            met = sum(weight for weight, reached, _ in members if reached >= rank)
            index[place] += 100 * groups[key] / whole * met / inside
    members = [row for part in rows.values() for row in part]
    limiting = min((reached for _, reached, flag in members if flag), default=3)
    other = min((reached for _, reached, flag in members if not flag), default=3)
    if limiting >= 3 and index[0] >= 85 and (rule == "RULE_2013" or other >= 2):
        return index, "I"
    if limiting >= 2 and index[1] >= 85:
        return index, "II"
    return index, "III" if limiting >= 1 and index[2] == 100 else "BELOW"


def scored(picture: dict[str, str], metals: list[str], rule: str) -> Any:
    return score(SYSTEM, request(picture, metals, rule))


@settings(max_examples=300, deadline=None)
@given(picture=pictures, metals=plated, rule=rules)
def test_a_score_agrees_with_exact_fractions(picture: dict[str, str], metals: list[str], rule: str) -> None:
    if all(kind == "NA" for kind in picture.values()):
        return
    result = scored(picture, metals, rule)
    index, level = by_hand(picture, metals, rule)
    assert result.level == level
    for found, exact in zip((result.index[key] for key in (Level.I, Level.II, Level.III)), index, strict=True):
        assert abs(Fraction(found) - exact) < Fraction(1, 10**40)


@settings(max_examples=100, deadline=None)
@given(picture=pictures, metals=plated, rule=rules)
def test_the_indices_rise_from_level_i_to_level_iii(picture: dict[str, str], metals: list[str], rule: str) -> None:
    index = scored(picture | {"e01": "I"}, metals, rule).index
    assert 0 <= index[Level.I] <= index[Level.II] <= index[Level.III] <= 100 + Fraction(1, 10**9)


@settings(max_examples=100, deadline=None)
@given(picture=pictures, metals=plated, rule=rules)
def test_the_third_index_is_full_exactly_when_nothing_is_below(
    picture: dict[str, str], metals: list[str], rule: str
) -> None:
    answer = scored(picture | {"e01": "III"}, metals, rule).as_json()
    rows = [row for row in answer["trace"]["indicators"] if row["applies"]]
    assert (answer["y_iii"] == "100") is all(row["level_reached"] != "BELOW" for row in rows)


@settings(max_examples=200, deadline=None)
@given(picture=pictures, metals=plated, rule=rules, chosen=st.sampled_from(sorted(SYSTEM.indicators)))
def test_improving_an_indicator_never_lowers_the_level(
    picture: dict[str, str], metals: list[str], rule: str, chosen: str
) -> None:
    picture = picture | {"e01": "I"}
    before = scored(picture, metals, rule).level
    if picture[chosen] in {"NA", "I"}:
        return
    better = {"ABSENT": "III", "BELOW": "III", "III": "II", "II": "I"}[picture[chosen]]
    after = scored(picture | {chosen: better}, metals, rule).level
    assert after.rank >= before.rank
