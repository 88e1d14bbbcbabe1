"""HTTP in for the incentives service."""

from services.incentives.routes import decisions, programmes, tier_lists
from services.incentives.routes.router import router

__all__ = ["decisions", "programmes", "router", "tier_lists"]
