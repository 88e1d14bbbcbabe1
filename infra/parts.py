"""The parts list of the product: the five services, in the order in which they start."""

from services.audits.service import service as audits
from services.credit.service import service as credit
from services.incentives.service import service as incentives
from services.notifications.service import service as notifications
from services.registry.service import service as registry

SERVICES = (registry, audits, credit, incentives, notifications)
