"""Commands: migration <service> "<sentence>" | schemas | redrive <service> <subject> | republish or reconcile <service> <since>."""

import os
import sys
import tempfile
from pathlib import Path

from infra import contracts, walk
from infra.home import Home
from infra.parts import SERVICES
from infra.postgres import EmbeddedPostgres
from infra.system import with_environment
from shared.events import load_catalogue
from shared.migrations import make_revision, upgrade
from shared.run import MENDING
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


def mend_embedded(command: str, name: str, what: str) -> None:
    """Do a service's mending command on the running instance of this home."""
    load_catalogue()
    service = next(s for s in SERVICES if s.name == name)
    home = Home(Path(os.environ.get("CLEANPROD_HOME", "var")).resolve())
    with with_environment(home.environment(EmbeddedPostgres(home.folder / "postgres"), Settings())):
        sys.stdout.write(MENDING[command](service, Settings(), what))


def main(arguments: list[str]) -> None:
    match arguments:
        case ["migration", name, sentence]:
            migration(name, sentence)
        case ["schemas"]:
            contracts.rewrite()
            walk.rewrite()
        case ["redrive" | "republish" | "reconcile" as command, name, what]:
            mend_embedded(command, name, what)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
