"""The parts of the credit service."""

from services.credit.handlers import handlers
from services.credit.imports import KIND
from services.credit.models import metadata
from services.credit.routes import router
from shared.imports import import_job
from shared.service import Service

service = Service(
    "credit",
    router,
    handlers,
    metadata,
    jobs=(import_job((KIND,)),),
    append_only=("credit_record", "credit_input"),
)
