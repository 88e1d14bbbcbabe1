"""Development commands: python -m infra.cli migration <service> "<sentence>"."""

import sys
import tempfile
from pathlib import Path

from infra.home import Home
from infra.parts import SERVICES
from infra.postgres import EmbeddedPostgres
from infra.system import with_environment
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


if __name__ == "__main__":
    if sys.argv[1:2] == ["migration"] and len(sys.argv) == 4:
        migration(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)
