"""HTTP in for the notifications service."""

from services.notifications.routes.deliveries import router as deliveries
from services.notifications.routes.feed import router as feed
from services.notifications.routes.subscriptions import router as subscriptions
from shared.http import service_router

router = service_router("notifications")
for part in (feed, subscriptions, deliveries):
    router.routes.extend(part.routes)

__all__ = ["router"]
