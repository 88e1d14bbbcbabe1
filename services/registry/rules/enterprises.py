"""What may be said of an enterprise, and which version of it held on a day."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol, TypeVar

from services.registry.rules.identity import uscc_fault
from shared.auth import Caller
from shared.codes import (
    current_division,
    division_known,
    industry_known,
    normalise_permit,
    permit_problem,
    uscc_inner_check_ok,
)
from shared.problems import Fault, Text

OWN_CONTACT = frozenset({"legal_representative", "address"})
OPTIONAL_TEXTS = ("legal_representative", "address", "permit_no")

_PERMIT_TEXTS = {
    "permit_malformed": Text("排污许可证编号应为22位。", "A discharge permit number has 22 characters."),
    "permit_check_digit": Text(
        "排污许可证编号中的统一社会信用代码校验位不符。",
        "The check character of the code inside the permit number does not fit.",
    ),
}


class Version(Protocol):
    """A row that says what holds from a day on."""

    valid_from: date
    version: int


V = TypeVar("V", bound=Version)


def field_faults(given: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with the fields that are given, each by its own code list."""
    faults: list[Fault] = []
    if "uscc" in given and (fault := uscc_fault("/uscc", given["uscc"])):
        faults.append(fault)
    if "division" in given and not division_known(given["division"]):
        faults.append(_division_fault(given["division"]))
    if "industry" in given and not industry_known(given["industry"]):
        text = Text("不是 GB/T 4754-2017 的四位行业代码。", "This is no four-digit class of GB/T 4754-2017.")
        faults.append(Fault("/industry", "industry_unknown", text, clause="GB/T 4754-2017"))
    if given.get("permit_no") and (problem := permit_problem(given["permit_no"])):
        faults.append(Fault("/permit_no", problem, _PERMIT_TEXTS[problem], clause="HJ 608-2017"))
    return faults


def _division_fault(code: str) -> Fault:
    text = Text("不是湖南省现行的县级行政区划代码。", "This is no county-level division of Hunan today.")
    now = current_division(code)
    extra = {"suggestion": now} if now and division_known(now) else {}
    return Fault("/division", "division_unknown", text, clause="GB/T 2260", extra=extra)


def cleaned(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as the register writes them: an empty optional text is no value, a permit number in capitals."""
    found = dict(given)
    for name in OPTIONAL_TEXTS:
        if name in found:
            found[name] = found[name] or None
    if found.get("permit_no"):
        found["permit_no"] = normalise_permit(found["permit_no"])
    return found


def warnings_of(uscc: str, language: str = "zh") -> list[dict[str, str]]:
    """What a person should look at again though the register takes it."""
    if uscc_inner_check_ok(uscc):
        return []
    text = Text(
        "代码中组织机构代码的校验位不符, 请核对。",
        "The inner organisation code's check digit does not fit; please check.",
    )
    return [{"pointer": "/uscc", "code": "uscc_inner_check", "message": text.in_language(language)}]


def sees_all(me: Caller, uscc: str, division: str) -> bool:
    """Whether a caller sees what is not public: who oversees the place, and the enterprise itself."""
    return me.covers(division) or (me.role == "enterprise" and me.uscc == uscc)


def is_others(me: Caller, uscc: str, division: str) -> bool:
    """Whether an enterprise is none of the caller's business: another place's, or another enterprise."""
    return (me.oversees and not me.covers(division)) or (me.role == "enterprise" and me.uscc != uscc)


def version_on(versions: Iterable[V], day: date) -> V | None:
    """What held on a day among the versions that were known: the latest day not after it, its newest version."""
    reached = [row for row in versions if row.valid_from <= day]
    return max(reached, key=lambda row: (row.valid_from, row.version), default=None)


def periods(versions: Iterable[V]) -> list[V]:
    """The newest version of each period, in the order of days."""
    newest: dict[date, V] = {}
    for row in sorted(versions, key=lambda row: row.version):
        newest[row.valid_from] = row
    return [newest[day] for day in sorted(newest)]


def rewritten(timeline: Sequence[V], day: date) -> list[tuple[date, V]]:
    """The periods that a change from `day` on reaches: each start with the row whose state it builds on.

    `day` must not be before the first period.
    """
    ground = version_on(timeline, day)
    assert ground is not None, "checked by the action"
    return [(day, ground), *((row.valid_from, row) for row in timeline if row.valid_from > day)]
