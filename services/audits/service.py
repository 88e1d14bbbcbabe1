"""The parts of the audits service."""

from services.audits.daily import daily
from services.audits.handlers import handlers
from services.audits.hotreads import SHORTCUT
from services.audits.imports import LIST_IMPORT
from services.audits.models import metadata
from services.audits.routes import router
from shared.imports import import_job
from shared.service import Service

service = Service(
    "audits",
    router,
    handlers,
    metadata,
    daily=daily,
    jobs=(import_job((LIST_IMPORT,)),),
    append_only=("round_step", "evaluation", "acceptance"),
    shortcuts=(SHORTCUT,),
)
