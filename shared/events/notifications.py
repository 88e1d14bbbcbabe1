"""What notifications says of subscriptions."""

from uuid import UUID

from shared.events import Event


class SubscriptionDisabled(Event, type="notifications.subscription.disabled.v1", subject="subscription"):
    """A receiver answered 410 Gone; deliveries stop until its owner enables it again."""

    subscription: UUID
    owner: str
    reason: str
