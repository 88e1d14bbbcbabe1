"""The parts of the incentives service."""

from services.incentives.handlers import handlers
from services.incentives.models import metadata
from services.incentives.routes import router
from shared.service import Service

service = Service("incentives", router, handlers, metadata)
