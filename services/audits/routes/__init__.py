"""HTTP in for the audits service, one file per noun."""

from services.audits.routes import deadlines, lists, status
from services.audits.routes.router import router

__all__ = ["deadlines", "lists", "router", "status"]
