"""The router of the incentives service."""

from shared.http import service_router

router = service_router("incentives")
