"""The one router of the audits service."""

from shared.http import service_router

router = service_router("audits")
