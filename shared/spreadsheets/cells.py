"""Cleaning one cell: text, codes, dates, and lists of reasons."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from shared.codes import ascii_width
from shared.spreadsheets.sheets import Value, shown

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
_BLANKS = re.compile(r"[\s\u3000\u00a0]+")
_SEPARATORS = re.compile(r"[、;；，,/／|\s\u3000\u00a0]+")
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T]0{1,2}:00(?::00)?)?")
_PACKED_DATE = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})")


def clean_text(value: Value) -> str:
    """The text without invisible marks, its blanks single and none at its ends; full-width letters stay as written."""
    text = shown(value)
    if text.isprintable() and "  " not in text:  # of all blanks and marks, only the plain blank is printable
        return text.strip()
    return _BLANKS.sub(" ", text.translate(_INVISIBLE)).strip()


def clean_code(value: Value) -> str:
    """A code in half-width capitals without any blank: what a person typed, as a register would write it."""
    return _BLANKS.sub("", ascii_width(shown(value).translate(_INVISIBLE))).upper()


@dataclass(frozen=True)
class DateCell:
    """A date, or the code of what is wrong and the date (ISO) that seems to be meant."""

    day: date | None = None
    code: str | None = None
    suggestion: str | None = None


def read_date(value: Value, *, typed: bool) -> DateCell:
    """A date cell's day. In a file that knows dates (`typed`) text is `date_as_text`, with the day it seems to mean.

    In a .csv, where all is text, an unambiguous year-month-day is taken. `date_malformed` for anything else.
    """
    if isinstance(value, datetime):
        return DateCell(value.date())
    if isinstance(value, date):
        return DateCell(value)
    text = clean_code(value)
    if not text:
        return DateCell()
    day = _day_in(text)
    if day is None:
        return DateCell(code="date_malformed")
    return DateCell(code="date_as_text", suggestion=day.isoformat()) if typed else DateCell(day)


def _day_in(text: str) -> date | None:
    match = _DATE.fullmatch(text) or _PACKED_DATE.fullmatch(text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def read_number(value: Value) -> Decimal | None:
    """The number of a cell, also where it was typed as text; None for what is no finite number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value
    try:
        number = Decimal(clean_code(value).replace(",", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def read_flag(value: Value, choices: Mapping[str, str]) -> bool | None:
    """Yes or no by the choices of its column (`true` / `false`); None for anything else."""
    if isinstance(value, bool):
        return value
    meant = choices.get(clean_text(value)) or choices.get(clean_code(value))
    return {"true": True, "false": False}.get(meant or "")


@dataclass(frozen=True)
class Reasons:
    """The codes of a list of reasons, each once; what was not recognised; whether a separator stands at an end."""

    codes: tuple[str, ...]
    unknown: tuple[str, ...]
    trailing_separator: bool

    def written(self, choices: Mapping[str, str]) -> str:
        """The reasons as the list would write them, the suggestion for a cell with a separator too many."""
        words = {code: word for word, code in reversed([*choices.items()])}
        return "、".join(words[code] for code in self.codes)


def split_reasons(value: Value, choices: Mapping[str, str]) -> Reasons:
    """Splits at 、 ；; ，, / and blanks, and words that run together (双超双有); `choices` maps word to code."""
    text = unicodedata.normalize("NFKC", clean_text(value))
    pieces = [piece for piece in _SEPARATORS.split(text) if piece]
    codes: list[str] = []
    unknown: list[str] = []
    words = sorted(choices, key=len, reverse=True)
    for piece in pieces:
        found = _run_together(piece, words)
        if found is None:
            unknown.append(piece)
        else:
            codes += [choices[word] for word in found]
    ends = bool(text) and any(_SEPARATORS.fullmatch(end) for end in (text[0], text[-1]))
    return Reasons(tuple(dict.fromkeys(codes)), tuple(unknown), ends)


def _run_together(piece: str, words: list[str]) -> list[str] | None:
    found: list[str] = []
    while piece:
        word = next((word for word in words if piece.startswith(word)), None)
        if word is None:
            return None
        found.append(word)
        piece = piece[len(word) :]
    return found
