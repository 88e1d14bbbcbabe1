"""USCC and permit numbers, against golden cases and an independent implementation."""

from pathlib import Path

import pytest
import yaml
from stdnum.cn import uscc as independent

from shared.codes import (
    make_uscc,
    normalise_permit,
    normalise_uscc,
    permit_problem,
    permit_uscc,
    uscc_check_character,
    uscc_inner_check_ok,
    uscc_problem,
)
from shared.codes.uscc import ALPHABET

GOLDEN = yaml.safe_load((Path(__file__).parent / "golden" / "uscc.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("code", GOLDEN["valid"])
def test_a_published_code_is_right_inside_and_out(code: str) -> None:
    assert uscc_problem(code) is None
    assert uscc_inner_check_ok(code)


@pytest.mark.parametrize("case", GOLDEN["problems"], ids=lambda case: repr(case["code"]))
def test_a_wrong_code_is_named_by_what_is_wrong(case: dict[str, str]) -> None:
    assert uscc_problem(case["code"]) == case["problem"]


@pytest.mark.parametrize("case", GOLDEN["written"], ids=lambda case: repr(case["text"]))
def test_a_typed_code_becomes_the_written_one(case: dict[str, str]) -> None:
    assert normalise_uscc(case["text"]) == case["code"]


def test_two_thousand_generated_codes_pass_an_independent_check() -> None:
    codes = {make_uscc(n * 40_961, division=f"43{n % 14 + 1:02d}{n % 81 + 1:02d}") for n in range(2_000)}
    assert len(codes) == 2_000
    for code in codes:
        assert independent.is_valid(code), code
        assert uscc_problem(code) is None, code
        assert uscc_inner_check_ok(code), code


def test_of_all_last_characters_exactly_the_independent_one_is_accepted() -> None:
    for n in range(60):
        first17 = make_uscc(n * 7_919)[:17]
        accepted = [last for last in ALPHABET if uscc_problem(first17 + last) is None]
        assert accepted == [independent.calc_check_digit(first17)] == [uscc_check_character(first17)]


def test_an_authority_may_begin_its_codes_with_letters() -> None:
    code = make_uscc(7, kind="A1")
    assert code.startswith("A1") and uscc_problem(code) is None


def test_a_wrong_inner_digit_alone_leaves_the_code_right() -> None:
    first17 = make_uscc(3)[:16]
    wrong = next(d for d in "0123456789" if not uscc_inner_check_ok(f"{first17}{d}0"))
    code = first17 + wrong + uscc_check_character(first17 + wrong)
    assert uscc_problem(code) is None
    assert not uscc_inner_check_ok(code)


@pytest.mark.parametrize("number", [-1, 31**6])
def test_a_number_outside_the_series_has_no_code(number: int) -> None:
    with pytest.raises(ValueError, match="numbers from 0"):
        make_uscc(number)


def test_a_check_character_needs_seventeen_characters_of_the_alphabet() -> None:
    for wrong in ("9111000060003734", "91110000600037I41"):
        with pytest.raises(ValueError, match="17 characters"):
            uscc_check_character(wrong)


@pytest.mark.parametrize("case", GOLDEN["permits"], ids=lambda case: case["number"])
def test_a_permit_number_is_right_or_named_by_what_is_wrong(case: dict[str, str | None]) -> None:
    number = str(case["number"])
    assert permit_problem(number) == case["problem"]
    assert permit_uscc(number) == case["uscc"]


WITHOUT_USCC = ["H9430281" + "699229617" + "a" + "001P", "H9430281" + "000000001" + "z" + "012Q"]


@pytest.mark.parametrize("number", WITHOUT_USCC)
def test_a_holder_without_uscc_has_its_own_form(number: str) -> None:
    assert permit_problem(number) is None
    assert permit_uscc(number) is None
    assert normalise_permit(f" {number[:17]}{number[17]}{number[18:].lower()} ") == number


@pytest.mark.parametrize("letter", ["i", "o", "A", "1"])
def test_the_letter_of_that_form_is_a_lower_case_one_other_than_i_and_o(letter: str) -> None:
    assert permit_problem(f"H9430281699229617{letter}001P") is not None


def test_a_typed_permit_number_becomes_the_written_one() -> None:
    assert normalise_permit("\u300091130200699229617x００１p") == "91130200699229617X001P"


@pytest.mark.parametrize("inner", ["00000006X", "000000000", "000000019"])
def test_an_inner_check_of_ten_is_x_and_of_eleven_is_nought(inner: str) -> None:
    others = set("0123456789X") - {inner[8]}
    assert uscc_inner_check_ok(f"91430100{inner}0")
    assert not any(uscc_inner_check_ok(f"91430100{inner[:8]}{other}0") for other in others)
