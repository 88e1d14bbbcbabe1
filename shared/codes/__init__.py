"""The public code lists: who (USCC, permit), where (GB/T 2260, Hunan), what trade (GB/T 4754-2017)."""

from shared.codes.divisions import (
    city_of,
    county_by_name,
    county_codes,
    current_division,
    division_known,
    division_name,
)
from shared.codes.industries import industry_by_name, industry_code, industry_known, industry_name
from shared.codes.permit import PERMIT_CHECK_DIGIT, PERMIT_MALFORMED, normalise_permit, permit_problem, permit_uscc
from shared.codes.uscc import (
    USCC_CHECK_DIGIT,
    USCC_MALFORMED,
    UsccProblem,
    ascii_width,
    make_uscc,
    normalise_uscc,
    uscc_check_character,
    uscc_inner_check_ok,
    uscc_problem,
)

__all__ = [
    "PERMIT_CHECK_DIGIT",
    "PERMIT_MALFORMED",
    "USCC_CHECK_DIGIT",
    "USCC_MALFORMED",
    "UsccProblem",
    "ascii_width",
    "city_of",
    "county_by_name",
    "county_codes",
    "current_division",
    "division_known",
    "division_name",
    "industry_by_name",
    "industry_code",
    "industry_known",
    "industry_name",
    "make_uscc",
    "normalise_permit",
    "normalise_uscc",
    "permit_problem",
    "permit_uscc",
    "uscc_check_character",
    "uscc_inner_check_ok",
    "uscc_problem",
]
