"""The parts of the registry service."""

from services.registry.handlers import handlers
from services.registry.models import metadata
from services.registry.routes import router
from shared.service import Service

service = Service("registry", router, handlers, metadata)
