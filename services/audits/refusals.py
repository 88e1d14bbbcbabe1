"""Refusals of moves as data: codes with their sentence and clause."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from services.audits.policy import read
from shared.problems import Fault, PreconditionMissing, Text, Unprocessable


@cache
def _refusals() -> Mapping[str, Any]:
    refusals: Mapping[str, Any] = read("refusals.yaml")
    return refusals


def text_of(code: str, **values: object) -> Text:
    """The sentence of a code with its words filled in; KeyError for an unknown code."""
    item = _refusals()[code]
    return Text(item["zh"].format(**values), item["en"].format(**values))


def fault(code: str, pointer: str, *, clause: str | None = None, **values: object) -> Fault:
    """What is wrong at a place of the request; `clause` where the day of the act decides which one."""
    return Fault(pointer, code, text_of(code, **values), clause or _refusals()[code]["clause"])


def need(faults: Sequence[Fault]) -> None:
    """422 `precondition_missing` with every fault, or nothing."""
    if faults:
        raise PreconditionMissing(faults)


def refused(found: Fault) -> Unprocessable:
    """A 422 under the fault's own code."""
    return Unprocessable(found.code, found.text, faults=[found])
