"""Development commands: migration <service> "<sentence>" | schemas | redrive <service> <subject>."""

import json
import os
import sys
import tempfile
from pathlib import Path

from infra import contracts, walk
from infra.home import Home
from infra.parts import SERVICES
from infra.postgres import EmbeddedPostgres
from infra.system import with_environment
from shared.db import Database
from shared.events import load_catalogue
from shared.messaging.inbox import redrive
from shared.migrations import make_revision, upgrade
from shared.settings import DatabaseUrls, Settings


def migration(name: str, sentence: str) -> None:
    """Write a service's next migration from what its tables say and its migrations make."""
    service = next(s for s in SERVICES if s.name == name)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.prepare_secrets("http://127.0.0.1:8000")
        postgres = EmbeddedPostgres(Path(folder) / "postgres", durable=False)
        postgres.start()
        try:
            with with_environment(home.environment(postgres, Settings())):
                url = DatabaseUrls.of(name).owner_url
                upgrade(service, url)
                make_revision(service, url, sentence)
        finally:
            postgres.stop()


def redrive_embedded(name: str, subject: str) -> None:
    """Replay what a running instance's service has set aside for a subject."""
    load_catalogue()
    service = next(s for s in SERVICES if s.name == name)
    home = Home(Path(os.environ.get("CLEANPROD_HOME", "var")).resolve())
    passwords = json.loads((home.secrets / "passwords.json").read_text())
    url = EmbeddedPostgres(home.folder / "postgres").url(name, f"{name}_app", passwords[f"{name}_app"])
    done = redrive(subject, service.handlers, Database(url, pool=2))
    sys.stdout.write(f"{done} events of {subject} replayed\n")


def main(arguments: list[str]) -> None:
    match arguments:
        case ["migration", name, sentence]:
            migration(name, sentence)
        case ["schemas"]:
            contracts.rewrite()
            walk.rewrite()
        case ["redrive", name, subject]:
            redrive_embedded(name, subject)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
