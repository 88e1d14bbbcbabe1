"""The parts of the notifications service."""

from services.notifications.actions.log import begin_new_history, forget_old
from services.notifications.dispatcher import dispatch
from services.notifications.handlers import handlers
from services.notifications.models import metadata
from services.notifications.routes import router
from shared.service import Service

service = Service(
    "notifications",
    router,
    handlers,
    metadata,
    daily=forget_old,
    loops=(dispatch,),
    restored=begin_new_history,
)
