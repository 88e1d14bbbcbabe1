"""Who may see an event, and which events a subscription asks for: one condition each, for SQL alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlmodel import col

from services.notifications.models import ConsentCopy, EventLog, Subscription
from shared.auth import AUTHORITIES, ECOLOGY, Caller
from shared.events import CATALOGUE, Audience

Condition = sa.ColumnElement[bool]
Expression = sa.ColumnElement[str] | Mapped[str]

OUTWARD_TYPES_END = ".*"
TARIFF = "tariff."


@dataclass(frozen=True)
class Viewer:
    """Whose eyes: the values of one caller, or the owner columns of every subscription row."""

    role: Expression
    jurisdiction: Expression
    uscc: Expression


TODAY = sa.bindparam("today", type_=sa.Date)


def given_viewer() -> Viewer:
    """The caller whose values (`values_of`) are given when the statement runs, so that it is built only once."""
    return Viewer(*[sa.bindparam(name, type_=sa.Text) for name in ("role", "jurisdiction", "uscc")])


def values_of(caller: Caller) -> dict[str, str]:
    return {"role": caller.role, "jurisdiction": caller.jurisdiction, "uscc": caller.uscc}


def owner_of_subscription() -> Viewer:
    """The owner of the `subscription` row that the statement is at."""
    return Viewer(col(Subscription.role), col(Subscription.jurisdiction), col(Subscription.uscc))


def visible(viewer: Viewer) -> Condition:
    """Whether `viewer` may see the `event_log` row that the statement is at, by the consents of the given `today`.

    The one policy of the feed, the stream, matching and sending, so that the three channels cannot differ.
    """
    covers = sa.and_(
        viewer.jurisdiction != "", sa.func.starts_with(col(EventLog.division), viewer.jurisdiction).is_(True)
    )
    overseer = sa.and_(viewer.role.in_([*sorted(AUTHORITIES), "auditor"]), covers)
    own = sa.and_(viewer.role == "enterprise", viewer.uscc == col(EventLog.uscc))
    bank = viewer.role == "bank"
    consented = sa.and_(bank, _consent(viewer))
    tariff, utility = col(EventLog.tariff), viewer.role == "utility"
    by_audience: dict[Audience, Condition] = {
        Audience.PUBLIC: sa.true(),
        Audience.PARTIES: sa.or_(overseer, own, consented),
        Audience.DECISION: sa.or_(overseer, own, sa.and_(sa.not_(tariff), consented), sa.and_(tariff, utility)),
        Audience.UTILITY: sa.or_(utility, viewer.role.in_(sorted(AUTHORITIES))),
        Audience.ENTERPRISE_ECOLOGY: sa.or_(own, sa.and_(viewer.role.in_(sorted(ECOLOGY)), covers)),
        Audience.CONSENT: sa.or_(own, sa.and_(bank, viewer.uscc == col(EventLog.bank))),
    }
    return sa.or_(*[sa.and_(col(EventLog.audience) == a.value, may) for a, may in by_audience.items()])


def _consent(viewer: Viewer) -> Condition:
    found = sa.select(sa.literal(1)).where(
        col(ConsentCopy.uscc) == col(EventLog.uscc),
        col(ConsentCopy.bank) == viewer.uscc,
        col(ConsentCopy.revoked).is_(False),
        col(ConsentCopy.valid_to) >= TODAY,
        col(EventLog.consent_scope) == sa.any_(col(ConsentCopy.scope)),
    )
    return found.correlate_except(ConsentCopy).exists()


def wanted_by_subscription() -> Condition:
    """Whether the `subscription` row that the statement is at asks for the `event_log` row that it is at."""
    pattern = sa.func.unnest(col(Subscription.types)).column_valued("pattern")
    text: Any = pattern
    fits = sa.or_(
        text == col(EventLog.type),
        sa.and_(sa.func.right(text, 1) == "*", sa.func.starts_with(col(EventLog.type), sa.func.left(text, -1))),
    )
    typed = sa.select(sa.literal(1)).where(fits).correlate(Subscription, EventLog).exists()
    usccs, division = col(Subscription.only_usccs), col(Subscription.only_division)
    return sa.and_(
        typed,
        sa.or_(usccs.is_(None), col(EventLog.uscc) == sa.any_(usccs)),
        sa.or_(division.is_(None), sa.func.starts_with(col(EventLog.division), division)),
    )


def outward_types() -> list[str]:
    """Every type that somebody outside may see."""
    return sorted(name for name, kind in CATALOGUE.items() if kind.audience is not Audience.INTERNAL)


def types_of(patterns: Iterable[str]) -> list[str]:
    """The outward types that any of the patterns (`audits.list.published.v1`, `incentives.*`, `*`) names."""
    return [name for name in outward_types() if any(_fits(name, pattern) for pattern in patterns)]


def unknown_patterns(patterns: Sequence[str]) -> list[int]:
    """Where in the list a pattern stands that names no known type."""
    return [at for at, pattern in enumerate(patterns) if not types_of([pattern])]


def _fits(name: str, pattern: str) -> bool:
    if pattern == "*" or pattern.endswith(OUTWARD_TYPES_END):
        return name.startswith(pattern[:-1])
    return name == pattern
