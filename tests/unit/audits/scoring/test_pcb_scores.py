"""Printed-circuit boards: formulas, shares of output, weights that are not confirmed."""

from typing import Any

import pytest

from services.audits.scoring import ScoreRequest, level_for_acceptance, load_systems, score

SYSTEM = load_systems()["PCB_TOOL_2025"]
EXCUSE = {"not_applicable": "outside the scope of this worked case"}
UNWEIGHTED = {row.id for row in SYSTEM.indicators.values() if row.weight is None and row.weight_group is None}
DYNAMIC = {row.id for row in SYSTEM.indicators.values() if row.weight_group is not None}


def only(kept: dict[str, object]) -> dict[str, object]:
    return dict.fromkeys(SYSTEM.indicators, EXCUSE) | kept


def rows(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in answer["trace"]["indicators"]}


@pytest.mark.parametrize("params", [{"n": "4"}, {"layers": "6"}, {"n": "4", "layers": "6"}, {"n": 4}])
@pytest.mark.parametrize(
    ("value", "level"), [("30", "I"), ("40", "II"), ("65", "II"), ("65.1", "III"), ("75.1", "BELOW")]
)
def test_a_multilayer_board_is_held_against_its_layers(params: dict[str, object], value: str, level: str) -> None:
    row = rows(score(SYSTEM, ScoreRequest({"p09": value}, params)).as_json())["p09"]
    assert row["thresholds"] == {"I": "30", "II": "65", "III": "75"}
    assert row["level_reached"] == level


def test_an_unconfirmed_weight_leaves_index_and_level_to_a_person() -> None:
    result = score(SYSTEM, ScoreRequest({"p09": "40"}, {"n": "4"}))
    answer = result.as_json()
    assert [answer[key] for key in ("y_i", "y_ii", "y_iii", "level")] == [None] * 4
    (review,) = answer["manual_review"]
    assert review["reason"] == "WEIGHT_UNCONFIRMED"
    assert set(review["indicators"]) == UNWEIGHTED
    taken = level_for_acceptance(result)
    assert (taken.level, taken.vetoes, taken.reviews) == (None, (), ("WEIGHT_UNCONFIRMED",))


def test_a_group_whose_weights_are_known_still_shows_its_subtotal() -> None:
    answer = score(SYSTEM, ScoreRequest({"p09": "40"}, {"n": "4"})).as_json()
    groups = {group["id"]: group for group in answer["trace"]["groups"]}
    assert [groups["energy"][key] for key in ("weight", "y_i", "y_ii", "y_iii")] == ["0.1", "0", "100", "100"]
    assert groups["management"]["y_i"] is None


def test_the_index_is_computed_once_every_unconfirmed_row_is_excused() -> None:
    kept: dict[str, object] = {f"p0{number}": "I" for number in range(1, 7)}
    kept |= {"p09": "40", "p17": "0.4", "p19": "60"}
    answer = score(SYSTEM, ScoreRequest(only(kept), {"n": "4"})).as_json()
    # Groups left: process 0.15, energy 0.10, water 0.10. Y_I = 100 * (0.15 + 0.05) / 0.35, p17 being at Level I.
    assert [answer["y_i"], answer["y_ii"], answer["y_iii"]] == ["57.14", "100", "100"]
    assert (answer["level"], answer["manual_review"]) == ("II", [])


def test_products_share_a_weight_by_output() -> None:
    request = ScoreRequest(only({"p07": "5", "p09": "40"}), {"n": "4"}, None, {"p07": "1000", "p09": "500"})
    answer = score(SYSTEM, request).as_json()
    assert [rows(answer)[key]["weight"] for key in ("p07", "p09")] == ["0.666667", "0.333333"]
    assert [answer["y_i"], answer["y_ii"], answer["y_iii"]] == ["66.67", "100", "100"]


def test_a_product_without_output_takes_no_part_whatever_is_said_of_it() -> None:
    request = ScoreRequest(only({"p07": "5", "p08": "999", "p09": "1"}), {}, None, {"p07": "10", "p08": "0"})
    answer = score(SYSTEM, request).as_json()
    assert (answer["y_i"], answer["level"]) == ("100", "I")
    assert [rows(answer)[key]["reason"]["code"] for key in ("p08", "p09")] == ["no_output", "no_output"]


def test_a_product_with_output_and_no_figure_is_below() -> None:
    kept = {key: value for key, value in only({"p07": "5"}).items() if key != "p08"}
    answer = score(SYSTEM, ScoreRequest(kept, {}, None, {"p07": "1", "p08": "3"})).as_json()
    assert (answer["y_i"], answer["level"]) == ("25", "BELOW")


def test_a_single_stated_product_takes_the_whole_weight() -> None:
    kept = {key: value for key, value in only({"p07": "10"}).items() if key not in {"p08", "p09"}}
    answer = score(SYSTEM, ScoreRequest(kept)).as_json()
    assert (rows(answer)["p07"]["weight"], answer["level"]) == ("1", "II")


def test_a_weight_group_nobody_speaks_of_counts_below_level_iii() -> None:
    kept = {key: value for key, value in only({"p19": "70"}).items() if key not in {"p15", "p16", "p17", "p18"}}
    answer = score(SYSTEM, ScoreRequest(kept)).as_json()
    assert (answer["y_i"], answer["y_iii"], answer["level"]) == ("50", "50", "BELOW")


def test_meeting_a_better_level_meets_a_worse_one_even_where_its_figure_is_stricter() -> None:
    # At n = 8 Level II of p09 is 105 and Level III is 95.
    answer = score(SYSTEM, ScoreRequest(only({"p09": "100"}), {"n": "8"})).as_json()
    assert [answer["y_i"], answer["y_ii"], answer["y_iii"]] == ["0", "100", "100"]


def test_an_oddity_of_the_source_is_noted_where_it_takes_part() -> None:
    shown = score(SYSTEM, ScoreRequest(only({"p36": "10"}), {"n": "2"})).as_json()["trace"]["notes"]
    assert [note["indicator"] for note in shown] == ["p36"]
    assert score(SYSTEM, ScoreRequest(only({"p34": "4"}))).as_json()["trace"]["notes"] == []


def test_a_row_without_benchmarks_goes_to_a_person() -> None:
    system = load_systems()["HW_INCINERATION_TZAEPI_DRAFT"]
    given: dict[str, object] = dict.fromkeys(system.indicators, "I")
    answer = score(system, ScoreRequest(given | {"hw23": "0.9"})).as_json()
    assert (answer["level"], answer["y_i"]) == (None, None)
    assert [review["reason"] for review in answer["manual_review"]] == ["THRESHOLD_UNCONFIRMED"]
    excused = score(system, ScoreRequest(given | {"hw23": EXCUSE})).as_json()
    assert (excused["level"], excused["y_i"]) == ("I", "100")
