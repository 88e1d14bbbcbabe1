"""The parts of the notifications service."""

from services.notifications.handlers import handlers
from services.notifications.models import metadata
from services.notifications.routes import router
from shared.service import Service

service = Service("notifications", router, handlers, metadata)
