"""HTTP in for the audits service, one file per noun."""

from services.audits.routes import deadlines, files, lists, measures, moves, rounds, scores, status
from services.audits.routes.router import router

__all__ = ["deadlines", "files", "lists", "measures", "moves", "rounds", "router", "scores", "status"]
