"""Which indicators take part in a score, and with what weight."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.audits.scoring.request import Inputs
from services.audits.scoring.systems import IndexSystem, Share, Text, WeightGroup


@dataclass(frozen=True)
class Absence:
    """Why an indicator takes no part; `reason` is the one the request gave, where it had to give one."""

    code: str
    text: Text
    reason: str | None = None


@dataclass(frozen=True)
class Weights:
    """Effective weights: of indicators inside their group, of groups among those left; None is not confirmed."""

    absences: Mapping[str, Absence]
    rows: Mapping[str, Decimal | None]
    groups: Mapping[str, Decimal | None]
    unconfirmed: tuple[str, ...]


_EXCUSED = Text("不适用", "declared not applicable")
_NOT_CHOSEN = Text("未实际采用，不参与评价", "not among the rows in use; takes no part")
_NO_OUTPUT = Text("无产量，不参与评价", "no output; takes no part")


def weigh(system: IndexSystem, inputs: Inputs) -> Weights:
    """Effective weights by the missing-data formula: inside a group, and over the groups when one drops out whole."""
    shares: dict[str, Decimal] = {}
    absences: dict[str, Absence] = {}
    for group in system.weight_groups.values():
        taken = _taking_part(system, group, inputs)
        shares |= {row: group.weight * part for row, part in taken.items()}
        absent = Absence("not_chosen", _NOT_CHOSEN) if group.share is Share.EQUAL else Absence("no_output", _NO_OUTPUT)
        absences |= {row: absent for row in system.rows_of(group.id) if row not in taken}
    for key, found in inputs.given.items():
        if found.not_applicable is not None:
            absences[key] = Absence("not_applicable", _EXCUSED, found.not_applicable)
    stated = {row.id: shares.get(row.id, row.weight) for row in system.indicators.values() if row.id not in absences}
    rows: dict[str, Decimal | None] = {}
    for first in system.groups:
        members = {key: weight for key, weight in stated.items() if system.indicators[key].group == first.id}
        rows |= _renormalised(members)
    left = {system.indicators[key].group for key in rows}
    groups = _renormalised({group.id: group.weight for group in system.groups if group.id in left})
    unconfirmed = tuple(key for key, weight in (stated | groups).items() if weight is None)
    return Weights(absences, rows, groups, unconfirmed)


def _renormalised(stated: Mapping[str, Decimal | None]) -> dict[str, Decimal | None]:
    known = [weight for weight in stated.values() if weight is not None]
    if len(known) < len(stated):
        return dict.fromkeys(stated)
    total = sum(known, Decimal(0))
    return {key: weight / total for key, weight in stated.items() if weight is not None}


def _taking_part(system: IndexSystem, group: WeightGroup, inputs: Inputs) -> dict[str, Decimal]:
    """The rows that divide this weight and the part of it each takes; the parts sum to 1."""
    rows = system.rows_of(group.id)
    if group.share is Share.EQUAL:
        return _equally(inputs.choices.get(group.param or "", ()), rows)
    outputs = {row: inputs.outputs[row] for row in rows if inputs.outputs.get(row)}
    if outputs:
        total = sum(outputs.values(), Decimal(0))
        return {row: output / total for row, output in outputs.items()}
    open_rows = tuple(row for row in rows if not inputs.is_excused(row))
    stated = tuple(row for row in open_rows if row in inputs.given)
    # With nothing stated every open row is below Level III, so how they divide the weight changes no index.
    return _equally(stated or open_rows, rows)


def _equally(chosen: tuple[str, ...], rows: tuple[str, ...]) -> dict[str, Decimal]:
    mine = [row for row in chosen if row in rows]
    return {row: Decimal(1) / len(mine) for row in mine}
