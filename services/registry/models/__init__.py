"""Tables of the registry service, one file per noun."""

from services.registry.models.actors import Expert, Institution
from services.registry.models.clients import Client
from services.registry.models.consents import Consent
from services.registry.models.enterprises import ALLOWED, Enterprise, EnterpriseVersion
from services.registry.models.facts import Fact
from services.registry.models.ledger import AccessEntry
from services.registry.models.table import Table, metadata

__all__ = [
    "ALLOWED",
    "AccessEntry",
    "Client",
    "Consent",
    "Enterprise",
    "EnterpriseVersion",
    "Expert",
    "Fact",
    "Institution",
    "Table",
    "metadata",
]
