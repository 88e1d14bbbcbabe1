"""Index systems are data: what is loaded, what is refused, what is only remarked on."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.audits.scoring import ScoreRequest, SystemInvalid, load_systems, score
from services.audits.scoring.loading import SYSTEMS as OWN


def small_system() -> dict[str, Any]:
    """A system that exists only here: a range, a strict limit, a choice, in two groups."""
    name = {"name_zh": "名", "name_en": "name"}
    row = {**name, "unit": "", "limiting": False, "kind": "quantitative"}
    ph = {"direction": "between", "I": {"at": "6.5", "upper": "7.5"}, "II": {"at": "6", "upper": "8"}, "III": None}
    co = {"direction": "lt", "I": "30", "II": "50", "III": "80-5*2"}
    heat = {"direction": "le", "I": "-20", "II": "-8", "III": "0", "minimum": None}
    return {
        "id": "SMALL", **name, "doc_no": None, "industry_codes": ["0000"], "decision_rule": "RULE_2018",
        "weight_status": "OFFICIAL", "source": "made for this test", "params": {},
        "groups": [{"id": "g", **name, "weight": "0.75"}, {"id": "h", **name, "weight": "0.25"}],
        "indicators": [
            {"id": "ph", **row, "group": "g", "weight": "0.5", **ph},
            {"id": "co", **row, "group": "g", "weight": "0.5", **co},
            {"id": "heat", **row, "group": "h", "weight": "1", **heat},
        ],
    }  # fmt: skip


def write(folder: Path, system: dict[str, Any], name: str = "small.yaml") -> Path:
    (folder / name).write_text(yaml.safe_dump(system, allow_unicode=True), encoding="utf-8")
    return folder


def test_a_system_in_a_second_folder_is_scored_like_any_other(tmp_path: Path) -> None:
    systems = load_systems(OWN, write(tmp_path, small_system()))
    assert {"SMALL", "ELECTROPLATING_2015_T1", "PCB_TOOL_2025"} <= systems.keys()
    answer = score(systems["SMALL"], ScoreRequest({"ph": "8", "co": "30", "heat": "-20"})).as_json()
    reached = {row["id"]: row["level_reached"] for row in answer["trace"]["indicators"]}
    assert reached == {"ph": "II", "co": "II", "heat": "I"}
    assert [answer["y_i"], answer["y_ii"], answer["level"]] == ["25", "100", "II"]
    assert answer["trace"]["indicators"][0]["thresholds"] == {"I": "6.5..7.5", "II": "6..8", "III": None}


@pytest.mark.parametrize(
    ("key", "value", "reached"),
    [("ph", "8.1", "BELOW"), ("ph", "5.9", "BELOW"), ("ph", "6.5", "I"), ("co", "29.9", "I"), ("co", "70", "BELOW")],
)
def test_ranges_and_strict_limits_are_kept(tmp_path: Path, key: str, value: str, reached: str) -> None:
    system = load_systems(write(tmp_path, small_system()))["SMALL"]
    assert next(r.level for r in score(system, ScoreRequest({key: value})).rows if r.indicator.id == key) == reached


BROKEN: list[tuple[list[Any], Any, str]] = [
    (["indicators", 0, "direction"], None, "Direction"),
    (["indicators", 0, "direction"], "about", "about"),
    (["indicators", 1, "direction"], "enum", "does not fit"),
    (["indicators", 1, "direction"], "between", "must name a range"),
    (["indicators", 1, "weight"], "0.4", "sum to 0.9"),
    (["indicators", 1, "weight"], None, "has no weight"),
    (["indicators", 1, "weight"], 0.5, "quoted decimal"),
    (["indicators", 1, "group"], "x", "group x is not declared"),
    (["indicators", 1, "id"], "ph", "occurs twice"),
    (["indicators", 1, "I"], "10*m", "parameter m is not declared"),
    (["indicators", 1, "I"], "__import__('os')", "grammar"),
    (["indicators", 1, "I"], "2**9", "grammar"),
    (["indicators", 1, "I"], "70 且", "not a formula"),
    (["indicators", 1, "I"], {"at": "1", "conditions": ["c"]}, "condition c is not declared"),
    (["groups", 0, "weight"], "0.7", "groups do not sum to 1"),
    (["decision_rule"], "RULE_X", "RULE_X is not known"),
]


@pytest.mark.parametrize(("path", "value", "message"), BROKEN)
def test_a_broken_system_is_refused_with_its_fault(tmp_path: Path, path: list[Any], value: Any, message: str) -> None:
    system = small_system()
    place: Any = system
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(SystemInvalid, match=message.replace("*", r"\*")):
        load_systems(write(tmp_path, system))


def test_a_direction_is_mandatory(tmp_path: Path) -> None:
    system = small_system()
    del system["indicators"][0]["direction"]
    with pytest.raises(SystemInvalid, match="direction"):
        load_systems(write(tmp_path, system))


def test_two_files_cannot_hold_the_same_system(tmp_path: Path) -> None:
    write(tmp_path, small_system(), "b.yaml")
    with pytest.raises(SystemInvalid, match="already loaded"):
        load_systems(write(tmp_path, small_system()))


def test_levels_in_the_wrong_order_are_remarked_on_and_kept(tmp_path: Path) -> None:
    system = small_system()
    system["indicators"][1]["I"] = "60"
    assert load_systems(write(tmp_path, system))["SMALL"].warnings == ("co: Level I is easier than Level II",)


def test_the_known_oddities_of_the_board_figures_are_remarked_on() -> None:
    systems = load_systems()
    assert systems["ELECTROPLATING_2015_T1"].warnings == ()
    remarks = systems["PCB_TOOL_2025"].warnings
    assert {remark.split(":")[0] for remark in remarks} == {
        "p09",
        "p10",
        "p13",
        "p14",
        "p22",
        "p23",
        "p26",
        "p27",
        "p36",
    }


def test_the_weights_of_the_electroplating_groups_are_the_published_ones() -> None:
    weights = [group.weight for group in load_systems()["ELECTROPLATING_2015_T1"].groups]
    assert weights == [Decimal(text) for text in ("0.33", "0.10", "0.18", "0.16", "0.07", "0.16")]


def test_the_limiting_indicators_are_the_published_ones() -> None:
    def limiting(system: str) -> list[str]:
        return [row.id for row in load_systems()[system].indicators.values() if row.limiting]

    assert limiting("ELECTROPLATING_2015_T1") == ["e05", "e14", "e15", "e16", "e18", "e19", "e21", "e23", "e25"]
    assert limiting("PCB_TOOL_2025") == ["p54", "p55", "p60", "p62"]
    assert limiting("HW_INCINERATION_TZAEPI_DRAFT") == ["hw15", "hw16", "hw17"]
