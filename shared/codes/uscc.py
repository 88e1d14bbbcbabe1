"""The unified social credit code (统一社会信用代码, GB 32100-2015)."""

import re
import string
from operator import mul
from typing import Literal

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_MALFORMED: Literal["uscc_malformed"] = "uscc_malformed"
USCC_CHECK_DIGIT: Literal["uscc_check_digit"] = "uscc_check_digit"
UsccProblem = Literal["uscc_malformed", "uscc_check_digit"]

_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_INNER_VALUES = {character: value for value, character in enumerate(string.digits + string.ascii_uppercase)}
_INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
# Some authorities other than market supervision issue codes that begin with a letter.
_SHAPE = re.compile(rf"[{ALPHABET}]{{2}}[0-9]{{6}}[{ALPHABET}]{{10}}")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"


def ascii_width(text: str) -> str:
    """The text with full-width letters, digits and signs in ASCII, no spaces or invisible marks at its ends."""
    narrow = text.translate(_FULL_WIDTH)
    bare = narrow.strip().strip(_INVISIBLE).strip()
    return bare


def normalise_uscc(text: str) -> str:
    """What a person typed or a sheet holds, as the code is written: ASCII, upper case, trimmed."""
    return ascii_width(text).upper()


def uscc_check_character(first17: str) -> str:
    """The 18th character for the first 17; ValueError where one of them is not of the alphabet."""
    if len(first17) != len(_WEIGHTS) or not set(first17) <= _VALUES.keys():
        raise ValueError("17 characters of the GB 32100-2015 alphabet are needed")
    return ALPHABET[-sum(map(mul, map(_VALUES.__getitem__, first17), _WEIGHTS)) % 31]


def uscc_problem(code: str) -> UsccProblem | None:
    """What is wrong with a code (already normalised): shape first, then the check character; None when it is right."""
    if _SHAPE.fullmatch(code) is None:
        return USCC_MALFORMED
    return None if uscc_check_character(code[:17]) == code[17] else USCC_CHECK_DIGIT


def uscc_inner_check_ok(code: str) -> bool:
    """Whether the organisation code inside (GB 11714) has its own check digit right.

    Some issued codes do not, so a caller warns and never refuses.
    """
    inner = code[8:17]
    return len(inner) == 9 and inner[8] == _inner_check(inner[:8])


def _inner_check(first8: str) -> str:
    total = sum(map(mul, map(_INNER_VALUES.__getitem__, first8), _INNER_WEIGHTS))
    rest = 11 - total % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def make_uscc(number: int, *, division: str = "430100", kind: str = "91", series: str = "MA") -> str:
    """A well-formed code for made-up firms, both check digits right: one per number, division, kind and series.

    `number` counts from 0 in the places of the organisation code that the series leaves; ValueError beyond them.
    """
    places = 8 - len(series)
    if not 0 <= number < 31**places:
        raise ValueError(f"the series {series} has numbers from 0 to {31**places - 1}")
    digits = ""
    for _ in range(places):
        number, value = divmod(number, 31)
        digits = ALPHABET[value] + digits
    first8 = series + digits
    first17 = kind + division + first8 + _inner_check(first8)
    code = first17 + uscc_check_character(first17)
    if uscc_problem(code) is not None:
        raise ValueError(f"no code of kind {kind}, division {division}, series {series}")
    return code
