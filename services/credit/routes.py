"""HTTP in for the credit service."""

from shared.http import service_router

router = service_router("credit")
