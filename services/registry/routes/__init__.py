"""HTTP in for the registry service, one file per noun."""

from services.registry.imports import KIND
from services.registry.routes import actors, clients, consents, enterprises, facts
from services.registry.routes.router import router
from shared.imports import imports_router

imports_router(router, "registry", (KIND,), read="registry:imports:read", write="registry:imports:write")

__all__ = ["actors", "clients", "consents", "enterprises", "facts", "router"]
