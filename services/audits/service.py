"""The parts of the audits service."""

from services.audits.handlers import handlers
from services.audits.models import metadata
from services.audits.routes import router
from shared.service import Service

service = Service("audits", router, handlers, metadata)
