"""Subscriptions: where events are pushed to, for whom, and in which state."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from services.notifications.models.table import Table
from shared.clock import utc_now
from shared.db import Utc, text_enum
from shared.events.notifications import SubscriptionDisabled
from shared.problems import MoveNotAllowed


class State(StrEnum):
    """Only an active subscription is sent to; in the other states what it is owed waits."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    DELETED = "deleted"


MOVES: dict[State, dict[str, State]] = {
    State.PENDING: {"verify": State.ACTIVE},
    State.ACTIVE: {"pause": State.PAUSED},
    State.PAUSED: {"enable": State.ACTIVE},
    State.DISABLED: {"enable": State.ACTIVE},
    State.DELETED: {},
}


class Subscription(Table, table=True):
    """An owner's wish to be told. Events up to `matched_seq` are matched while it is not active.

    Who the owner is (role, jurisdiction, uscc) is kept as it was when the subscription was made or last changed.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        sa.Index("subscription_of", "client_id", "made_at", "id"),
        sa.Index("subscription_active", "id", postgresql_where=sa.text("state = 'active'")),
    )
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    client_id: str
    role: str
    jurisdiction: str
    uscc: str
    url: str
    types: list[str] = Field(sa_type=ARRAY(sa.Text))
    only_usccs: list[str] | None = Field(default=None, sa_type=ARRAY(sa.Text))
    only_division: str | None = None
    state: State = Field(default=State.PENDING, sa_type=text_enum(State))
    secret: bytes
    old_secret: bytes | None = None
    old_until: datetime | None = Field(default=None, sa_type=Utc)
    matched_seq: int = Field(sa_type=sa.BigInteger)
    resumed_at: datetime | None = Field(default=None, sa_type=Utc)
    version: int = 1
    made_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )

    @property
    def allowed(self) -> list[str]:
        return sorted(MOVES[self.state])

    def require_move(self, name: str) -> None:
        """409 `move_not_allowed` unless the state allows the move."""
        if name not in MOVES[self.state]:
            raise MoveNotAllowed(self.state.value, self.allowed)

    def move(self, name: str) -> None:
        """Take one of the moves that the state allows; else 409 `move_not_allowed`."""
        self.require_move(name)
        self.state = MOVES[self.state][name]
        self.version += 1

    def disable(self, reason: str) -> SubscriptionDisabled:
        """The receiver wants no more; what it is owed is kept."""
        self.state = State.DISABLED
        self.version += 1
        return SubscriptionDisabled(subscription=self.id, owner=self.client_id, reason=reason)
