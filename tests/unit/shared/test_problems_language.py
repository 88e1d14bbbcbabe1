"""Problems say the same thing in two languages, and which one the reader wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import problems
from shared.problems import Fault, MoveNotAllowed, Problem, Text, Unprocessable, language_of


@given(st.text(max_size=60))
def test_any_header_names_a_language(header: str) -> None:
    assert language_of(header) in ("zh", "en")


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "zh"), ("en", "en"), ("EN-gb", "en"), ("en ;q=0.2 , zh ; q=0.9", "zh"), ("en;q=nan", "zh"), ("*", "zh"), ("zh;q=0.1,en;q=0.2", "en")],
)
def test_the_preferred_language_wins(header: str, language: str) -> None:
    assert language_of(header) == language


def test_every_kind_of_problem_has_a_title_in_both_languages_and_a_status_of_its_own() -> None:
    kinds = [k for k in vars(problems).values() if isinstance(k, type) and issubclass(k, Problem)]
    for kind in kinds:
        assert kind.title.zh and kind.title.en and kind.title.zh != kind.title.en
        assert 400 <= kind.status < 600


def test_a_problem_is_written_as_its_reader_reads() -> None:
    fault = Fault("/a", "bad", Text("坏", "bad"), clause="HN-2024-CP#1", extra={"first_row": 3})
    for language, word in (("zh", "坏"), ("en", "bad")):
        shown = Unprocessable("not_so", Text(word, word), faults=[fault]).as_json(language)
        assert (shown["type"], shown["status"], shown["detail"]) == ("/problems/not-so", 422, word)
        assert shown["errors"] == [{"pointer": "/a", "code": "bad", "message": word, "clause": "HN-2024-CP#1", "first_row": 3}]


def test_a_refused_move_names_the_state_and_what_it_allows() -> None:
    shown = MoveNotAllowed("draft", ["publish"]).as_json("en")
    assert (shown["status"], shown["state"], shown["allowed"]) == (409, "draft", ["publish"])
