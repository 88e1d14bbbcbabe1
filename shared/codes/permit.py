"""The pollutant-discharge permit number (排污许可证编号, HJ 608-2017)."""

import re
from typing import Literal

from shared.codes.uscc import ascii_width, uscc_problem

PERMIT_MALFORMED: Literal["permit_malformed"] = "permit_malformed"
PERMIT_CHECK_DIGIT: Literal["permit_check_digit"] = "permit_check_digit"
PermitProblem = Literal["permit_malformed", "permit_check_digit"]

# A holder with a USCC, the site's number under it, the identification mark (stored, never checked: not only P occurs).
_BY_USCC = re.compile(r"(?P<holder>[0-9A-Z]{18})(?P<site>[0-9]{3})[0-9A-Z]")
# A holder without one: H9, issuing division, organisation code (or 0000 and a number), a letter that is not i or o.
_WITHOUT_USCC = re.compile(r"(?P<holder>H9[0-9]{6}[0-9A-Z]{8}[0-9X][a-hj-np-z])(?P<site>[0-9]{3})[0-9A-Z]")


def normalise_permit(text: str) -> str:
    """As the number is written: ASCII, trimmed, upper case except the letter of a holder without USCC."""
    bare = ascii_width(text)
    upper = bare.upper()
    if upper.startswith("H9") and bare[17:18].islower():
        return upper[:17] + bare[17] + upper[18:]
    return upper


def permit_problem(no: str) -> PermitProblem | None:
    """What is wrong with a number (already normalised): shape, site 000, or the check character of the USCC in it."""
    without = _WITHOUT_USCC.fullmatch(no)
    found = without or _BY_USCC.fullmatch(no)
    if found is None or found["site"] == "000":
        return PERMIT_MALFORMED
    if without is not None:
        return None
    problem = uscc_problem(found["holder"])
    if problem is None:
        return None
    return PERMIT_MALFORMED if problem == "uscc_malformed" else PERMIT_CHECK_DIGIT


def permit_uscc(no: str) -> str | None:
    """The USCC inside a right number, None for a holder that has none (or a wrong number)."""
    return no[:18] if _BY_USCC.fullmatch(no) and permit_problem(no) is None else None
