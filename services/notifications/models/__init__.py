"""Tables of the notifications service."""

from services.notifications.models.copies import ConsentCopy, EnterpriseCopy
from services.notifications.models.deliveries import OPEN, Attempt, Delivery, Lane, Progress
from services.notifications.models.log import EventLog, LogHead
from services.notifications.models.subscriptions import MOVES, State, Subscription
from services.notifications.models.table import Table, metadata

__all__ = [
    "MOVES",
    "OPEN",
    "Attempt",
    "ConsentCopy",
    "Delivery",
    "EnterpriseCopy",
    "EventLog",
    "Lane",
    "LogHead",
    "Progress",
    "State",
    "Subscription",
    "Table",
    "metadata",
]
