"""The product as `make run` starts it, over a PostgreSQL that runs outside of it and survives it."""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import shared.starting  # noqa: F401
from infra import instance
from infra.databases import Roles
from shared.settings import Settings

OUTSIDE = "LAB_POSTGRES"  # the URLs of the databases, as JSON


class OutsidePostgres:
    """What `infra.instance` asks of its PostgreSQL, where somebody else runs it and has made the databases."""

    def __init__(self, urls: dict[str, str]) -> None:
        self._urls = urls

    def start(self) -> None:
        return

    def keep(self, stopping: threading.Event) -> None:
        return

    def stop(self) -> None:
        return

    def provide(self, service: str, roles: Roles) -> None:
        return

    def url(self, database: str, role: str, password: str) -> str:
        return self._urls[f"{database}/{role}"]


class Whole(instance.Instance):
    """An instance whose process may be killed without its database."""

    def __init__(self, home: Any, settings: Settings) -> None:
        super().__init__(home, settings)
        self.postgres = OutsidePostgres(json.loads(Path(os.environ[OUTSIDE]).read_text()))  # type: ignore[assignment]


if __name__ == "__main__":
    instance.Instance = Whole  # type: ignore[misc]
    sys.exit(instance.main())  # type: ignore[func-returns-value]
