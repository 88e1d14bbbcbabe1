"""python -m infra.provide: make the databases and roles of every service over the administrator's connection.

Reads `CLEANPROD_ADMIN_URL` (a URL without a password: libpq takes it from `PGPASSFILE`) and `passwords.json` in
`CLEANPROD_SECRETS`. Doing it again changes nothing but passwords that were changed.
"""

import json
import os
import sys
from urllib.parse import urlsplit, urlunsplit

from infra import databases
from infra.databases import Roles
from infra.home import SERVICE_NAMES
from shared.settings import Settings


def main() -> None:
    admin = os.environ["CLEANPROD_ADMIN_URL"]
    passwords = json.loads((Settings().secrets / "passwords.json").read_text())
    for name in SERVICE_NAMES:
        roles = Roles(passwords[f"{name}_owner"], passwords[f"{name}_app"])
        databases.provide(lambda database: on_database(admin, database), name, roles)
        sys.stdout.write(f"database {name}: ready\n")


def on_database(url: str, database: str) -> str:
    """The same server and role, on another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


if __name__ == "__main__":
    main()
