"""The five services' APIs in one process, as `make run` has them on Kafka; their workers run beside it."""

from infra.parts import SERVICES
from shared import logs
from shared.events import load_catalogue
from shared.run import bus_for, context_for, edge_for, serve
from shared.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    logs.setup(settings.log_level)
    load_catalogue()
    contexts = {service.name: context_for(service, settings) for service in SERVICES}
    serve(edge_for(SERVICES, contexts, settings, bus_for(settings)), settings)
