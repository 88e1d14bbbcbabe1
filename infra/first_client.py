"""python -m infra.first_client ROLE JURISDICTION NAME: make a client where nobody can sign in yet.

In containers: `docker compose run --rm registry-api python -m infra.first_client provincial_ecology 43 湖南省生态环境厅`.
Prints the client's id and secret as JSON, once; every further client is made over HTTP by a provincial department.
"""

import json
import sys

from services.registry.actions.clients import NewClient, provide_client
from services.registry.actions.secrets import pepper_of
from services.registry.service import service
from shared.auth import PROVINCIAL
from shared.events import load_catalogue
from shared.run import context_for
from shared.settings import Settings


def make(role: str, jurisdiction: str, name: str) -> dict[str, str]:
    """A client of a provincial department; its secret is in no other place."""
    settings = Settings()
    context = context_for(service, settings, pool=1)
    try:
        with context.db.begin() as tx:
            new = NewClient(role, name, jurisdiction=jurisdiction)
            client_id, secret = provide_client(tx, pepper_of(settings), new, made_by="first_client")
    finally:
        context.db.dispose()
    return {"client_id": client_id, "client_secret": secret, "role": role, "jurisdiction": jurisdiction, "name": name}


def main(arguments: list[str]) -> None:
    if len(arguments) != 3 or arguments[0] not in PROVINCIAL:
        sys.exit(__doc__)
    load_catalogue()
    sys.stdout.write(json.dumps(make(*arguments), ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
