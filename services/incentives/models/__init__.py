"""Tables of the incentives service."""

from services.incentives.models.copies import ConsentCopy, EnterpriseCopy
from services.incentives.models.decisions import StandingDecision, StoredDecision
from services.incentives.models.facts import ACCEPTANCE, CREDIT, ENTERPRISE, ENTRY, OBLIGATION, ROUND, Fact, Told
from services.incentives.models.table import Table, metadata
from services.incentives.models.tiers import TierEntry, TierFile, TierList, TierUnresolved

__all__ = [
    "ACCEPTANCE",
    "CREDIT",
    "ENTERPRISE",
    "ENTRY",
    "OBLIGATION",
    "ROUND",
    "ConsentCopy",
    "EnterpriseCopy",
    "Fact",
    "StandingDecision",
    "StoredDecision",
    "Table",
    "TierEntry",
    "TierFile",
    "TierList",
    "TierUnresolved",
    "Told",
    "metadata",
]
