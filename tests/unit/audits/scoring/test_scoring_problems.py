"""What a scoring request can get wrong."""

import pytest

from services.audits.scoring import ScoreProblems, ScoreRequest, find_system, load_systems, score

SYSTEMS = load_systems()
PLATING, BOARDS = SYSTEMS["ELECTROPLATING_2015_T1"], SYSTEMS["PCB_TOOL_2025"]
METALS = {"metals": ["e06"]}


def faults(system: str, request: ScoreRequest) -> list[tuple[str, str]]:
    with pytest.raises(ScoreProblems) as raised:
        score(find_system(SYSTEMS, system), request)
    assert all(problem.zh and problem.en for problem in raised.value.problems)
    return [(problem.code, problem.pointer) for problem in raised.value.problems]


def test_an_unknown_index_system_is_named_at_its_place() -> None:
    assert faults("STEEL_1999", ScoreRequest({})) == [("index_system_unknown", "/index_system")]


@pytest.mark.parametrize("rule", ["RULE_2006_P", "", "rule_2013"])
def test_an_unknown_decision_rule_is_refused(rule: str) -> None:
    assert faults(PLATING.id, ScoreRequest({}, METALS, rule)) == [("decision_rule_unknown", "/decision_rule")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("abc", ("value_invalid", "/indicators/e05")),
        ("-1", ("value_invalid", "/indicators/e05")),
        ("1e1", ("value_invalid", "/indicators/e05")),
        ("NaN", ("value_invalid", "/indicators/e05")),
        ("٣", ("value_invalid", "/indicators/e05")),
        (20.123456789012345678, ("value_invalid", "/indicators/e05")),
        (float("inf"), ("value_invalid", "/indicators/e05")),
        (True, ("value_invalid", "/indicators/e05")),
        (None, ("value_invalid", "/indicators/e05")),
        (["20"], ("value_invalid", "/indicators/e05")),
        ("IV", ("value_invalid", "/indicators/e05")),
        ({}, ("value_invalid", "/indicators/e05/value")),
        ({"value": "x"}, ("value_invalid", "/indicators/e05/value")),
        ({"value": "20", "energy_saving": True}, ("value_invalid", "/indicators/e05/energy_saving")),
        ({"not_applicable": ""}, ("reason_required", "/indicators/e05/not_applicable")),
        ({"not_applicable": " "}, ("reason_required", "/indicators/e05/not_applicable")),
        ({"not_applicable": "\ud800"}, ("reason_required", "/indicators/e05/not_applicable")),
        ({"not_applicable": True}, ("reason_required", "/indicators/e05/not_applicable")),
        ({"not_applicable": "why", "value": "2"}, ("value_invalid", "/indicators/e05/value")),
    ],
)
def test_an_unusable_answer_is_refused_at_its_place(answer: object, expected: tuple[str, str]) -> None:
    assert faults(PLATING.id, ScoreRequest({"e05": answer}, METALS)) == [expected]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("72", ("condition_missing", "/indicators/e03/energy_saving")),
        ({"value": "72"}, ("condition_missing", "/indicators/e03/energy_saving")),
        ({"value": "72", "energy_saving": "yes"}, ("value_invalid", "/indicators/e03/energy_saving")),
        ({"value": "II", "energy_saving": False}, ("value_invalid", "/indicators/e03/value")),
    ],
)
def test_a_condition_must_be_said_and_must_fit(answer: object, expected: tuple[str, str]) -> None:
    assert faults(PLATING.id, ScoreRequest({"e03": answer}, METALS)) == [expected]


@pytest.mark.parametrize("metals", [[], ["e06", "e06"], ["e05"], ["e99"], "e06", None, [["e06"]], {"e06": 1}])
def test_metals_are_distinct_known_rows_and_at_least_one(metals: object) -> None:
    assert faults(PLATING.id, ScoreRequest({}, {"metals": metals})) == [("param_invalid", "/params/metals")]


def test_metals_must_be_named_unless_every_metal_row_is_excused() -> None:
    assert faults(PLATING.id, ScoreRequest({})) == [("param_missing", "/params/metals")]
    excused = {f"e{number:02}": {"not_applicable": "only tin is plated"} for number in range(6, 13)}
    assert score(PLATING, ScoreRequest(excused)).as_json()["level"] == "BELOW"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [("param_missing", "/params/n")]),
        ({"n": "x"}, [("param_invalid", "/params/n")]),
        ({"n": "0"}, [("param_invalid", "/params/n")]),
        ({"n": "2.5"}, [("param_invalid", "/params/n")]),
        ({"layers": "2"}, [("param_invalid", "/params/layers")]),
        ({"n": "4", "layers": "8"}, [("param_invalid", "/params/layers")]),
        ({"n": "4", "metals": ["e06"]}, [("param_invalid", "/params/metals")]),
    ],
)
def test_layers_are_a_whole_number_said_once(params: dict[str, object], expected: list[tuple[str, str]]) -> None:
    assert faults(BOARDS.id, ScoreRequest({"p09": "40"}, params)) == expected


def test_layers_are_not_asked_for_where_no_formula_is_used() -> None:
    result = score(BOARDS, ScoreRequest({"p07": "5", "p17": "II"}))
    assert next(row for row in result.rows if row.indicator.id == "p17").level == "II"


@pytest.mark.parametrize(("key", "level"), [("p03", "II"), ("p54", "II"), ("p54", "III")])
def test_a_level_the_system_does_not_define_cannot_be_reached(key: str, level: str) -> None:
    assert faults(BOARDS.id, ScoreRequest({key: level})) == [("level_not_defined", f"/indicators/{key}")]


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        (None, [("product_mix_required", "/product_mix")]),
        ({"p15": "1"}, [("product_mix_required", "/product_mix")]),
        ({"p07": "x"}, [("value_invalid", "/product_mix/p07"), ("product_mix_required", "/product_mix")]),
        ({"p07": "1", "p08": "-1"}, [("value_invalid", "/product_mix/p08")]),
        ({"p07": "1", "p01": "1"}, [("param_invalid", "/product_mix/p01")]),
        ({"p07": "1", "zz": "1"}, [("indicator_unknown", "/product_mix/zz")]),
        ({"p07": "0", "p08": "0"}, [("param_invalid", "/product_mix")]),
    ],
)
def test_several_products_need_a_sound_product_mix(
    mix: dict[str, object] | None, expected: list[tuple[str, str]]
) -> None:
    assert faults(BOARDS.id, ScoreRequest({"p07": "5", "p08": "5"}, {}, None, mix)) == expected


def test_excusing_everything_leaves_nothing_to_score() -> None:
    excused = {key: {"not_applicable": "closed"} for key in PLATING.indicators}
    assert faults(PLATING.id, ScoreRequest(excused)) == [("nothing_applicable", "/indicators")]


def test_every_fault_is_reported_at_once() -> None:
    request = ScoreRequest({"a/b": "1", "e05": "x", "e13": {"not_applicable": ""}}, {"metals": []}, "RULE_9")
    assert faults(PLATING.id, request) == [
        ("decision_rule_unknown", "/decision_rule"),
        ("param_invalid", "/params/metals"),
        ("indicator_unknown", "/indicators/a~1b"),
        ("value_invalid", "/indicators/e05"),
        ("reason_required", "/indicators/e13/not_applicable"),
    ]
