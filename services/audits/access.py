"""Who sees a round, and who may make which move of it."""

from typing import Annotated, TypeVar
from uuid import UUID

import sqlalchemy as sa
from fastapi import Depends, Request
from fastapi.params import Depends as DependsParam
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from services.audits.models import AuditRound, RoundState, Track
from shared.auth import AUTHORITIES, ECOLOGY, Caller
from shared.http import Me, Tx
from shared.problems import Forbidden, NotFound

T = TypeVar("T")
WRITE, DECIDE = "audits:rounds:write", "audits:rounds:decide"
# 生态环境 decides on the mandatory track; on the voluntary one 工信 does, and 生态环境 may.
DECIDED = frozenset(
    {
        "accept-application",
        "return-application",
        "record-evaluation",
        "recheck",
        "record-acceptance",
        "order-rectification",
        "order-reaudit",
    }
)
BY_INSTITUTION = frozenset({"complete-phase"})
CITY_OR_PROVINCE = ("city_", "provincial_")
# An enterprise withdraws a voluntary round until its review has begun.
WITHDRAWABLE = frozenset(
    {
        RoundState.LISTED,
        RoundState.STARTED,
        RoundState.PRE_AUDIT,
        RoundState.AUDITING,
        RoundState.MEASURES_GENERATED,
        RoundState.MEASURES_DETERMINED,
        RoundState.REPORT_SUBMITTED,
        RoundState.EVAL_APPLIED,
    }
)


def seen_by(me: Caller) -> sa.ColumnElement[bool]:
    """The rounds a caller sees: of its jurisdiction, its own, or those that it serves as their institution."""
    if me.oversees and me.jurisdiction:
        return col(AuditRound.division).startswith(me.jurisdiction, autoescape=True)
    if me.role == "enterprise" and me.uscc:
        return col(AuditRound.uscc) == me.uscc
    if me.role == "institution" and me.uscc:
        return col(AuditRound.institution) == me.uscc
    return sa.false()


def visible(me: Caller, query: SelectOfScalar[T]) -> SelectOfScalar[T]:
    """A query of rounds with the WHERE of its caller."""
    return query.where(seen_by(me))


def visible_round(round_id: str, tx: Tx, me: Me) -> AuditRound:
    """The round of a path; NotFound when it is missing, not the caller's to see, or no id at all."""
    found = tx.exec(visible(me, select(AuditRound).where(AuditRound.id == as_id(round_id)))).first()
    if found is None:
        raise NotFound()
    return found


def as_id(text: str) -> UUID:
    """An id of a path; what is no UUID names nothing: NotFound."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound() from error


def may_move(me: Caller, round: AuditRound, move: str) -> bool:
    """Whether the caller's role makes this move of a round that it sees."""
    voluntary = round.track is Track.VOLUNTARY
    deciding = AUTHORITIES if voluntary else ECOLOGY
    if move in DECIDED:
        return me.role in deciding and me.may(DECIDE)
    if move in ("suspend", "resume"):
        return _city_or_province(me, deciding)
    if move == "cancel":
        return _may_cancel(me, voluntary, deciding)
    roles = ("enterprise", "institution") if move in BY_INSTITUTION else ("enterprise",)
    return me.role in roles and me.may(WRITE)


def _city_or_province(me: Caller, deciding: frozenset[str]) -> bool:
    return me.role in deciding and me.role.startswith(CITY_OR_PROVINCE) and me.may(DECIDE)


def _may_cancel(me: Caller, voluntary: bool, deciding: frozenset[str]) -> bool:
    if not voluntary:
        return me.role == "provincial_ecology" and me.may(DECIDE)
    return _city_or_province(me, deciding) or (me.role == "enterprise" and me.may(WRITE))


def moved_by(*scopes: str) -> DependsParam:
    """A move's first checks: the round is visible (404), the caller's role makes it and has one of `scopes` (403)."""

    def check(round: Annotated[AuditRound, Depends(visible_round)], request: Request, me: Me) -> None:
        if not may_move(me, round, request.url.path.rsplit("/", 1)[-1]):
            raise Forbidden()

    check.scope, check.or_scopes = scopes[0], scopes[1:]  # type: ignore[attr-defined]
    dependency: DependsParam = Depends(check)
    return dependency
