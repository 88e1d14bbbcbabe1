"""HTTP in for the registry service."""

from shared.http import service_router

router = service_router("registry")
