"""The parts of the registry service."""

from services.registry.handlers import handlers
from services.registry.imports import KIND
from services.registry.models import metadata
from services.registry.routes import router
from shared.imports import import_job
from shared.service import Service

service = Service(
    "registry",
    router,
    handlers,
    metadata,
    jobs=(import_job((KIND,)),),
    append_only=("enterprise_version", "fact", "access_entry"),
)
