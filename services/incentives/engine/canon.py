"""One byte sequence for one meaning: canonical JSON and its SHA-256."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any


def plain_decimal(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros: 13450.00 and 1.345E4 are both `13450`."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def jsonable(value: Any) -> Any:
    """The JSON form of a value: decimals and days as strings, text in NFC; TypeError for a float or anything else."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {unicodedata.normalize("NFC", str(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical form")


def dumps(value: Any) -> str:
    """Sorted keys, no spaces, UTF-8 characters kept."""
    return json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()
