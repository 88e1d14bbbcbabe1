"""The parts of the credit service."""

from services.credit.handlers import handlers
from services.credit.models import metadata
from services.credit.routes import router
from shared.service import Service

service = Service("credit", router, handlers, metadata)
