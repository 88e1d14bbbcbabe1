"""Decimals that callers send as JSON numbers."""

from decimal import Decimal
from math import isfinite

EXACT_DIGITS = 15  # a double keeps this many digits as they were written


def as_written(value: object) -> object:
    """A JSON number as the decimal string that was written; what is no number, or has lost digits on the way, as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) < 10**100 else value
    if not isfinite(value):
        return value
    number = Decimal(repr(value)).normalize()
    exact = len(number.as_tuple().digits) <= EXACT_DIGITS and abs(number.adjusted()) < 100
    return format(number, "f") if exact else value
