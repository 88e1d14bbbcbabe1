"""Migrations: one linear history per service, configured in code."""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from shared import imports as shared_imports
from shared.db import Database
from shared.messaging.tables import metadata as messaging
from shared.service import Service

SERVICES = Path(__file__).parent.parent / "services"
MIGRATION_LOCK = 4303
assert shared_imports.ImportFile.metadata is messaging, "every shared table must be known before histories are compared"


def configure(service: Service, url: str) -> Config:
    """Alembic's configuration for one service's history and database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    config.set_main_option("version_locations", str(SERVICES / service.name / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(service=service, url=url)
    return config


def upgrade(service: Service, owner_url: str, app_role: str = "") -> None:
    """Bring a database to the newest revision as its owner; the application's role may not alter what is append-only.

    A database that newer code has brought further is left as it is: the older code is one step back, or a replica of it.
    """
    db = Database(owner_url, pool=2)
    try:
        with db.engine.connect() as guard:
            guard.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
            if not _is_newer(service, db):
                command.upgrade(configure(service, owner_url), "head")
            guard.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
        if app_role:
            with db.begin() as tx:
                for table in service.append_only:
                    tx.execute(sa.text(f'REVOKE UPDATE, DELETE, TRUNCATE ON "{table}" FROM "{app_role}"'))
    finally:
        db.dispose()


def make_revision(service: Service, owner_url: str, message: str) -> None:
    """Write the next numbered migration from the difference between tables and database."""
    config = configure(service, owner_url)
    heads = ScriptDirectory.from_config(config).get_heads()
    number = f"{int(heads[0]) + 1 if heads else 1:04d}"
    command.revision(
        config, message, autogenerate=True, rev_id=number, version_path=str(SERVICES / service.name / "migrations")
    )


@cache
def head_of(service: Service) -> str | None:
    return ScriptDirectory.from_config(configure(service, "postgresql://")).get_current_head()


def at_head(service: Service, db: Database) -> bool:
    """Whether the database has the revision that this code was written for, or a later one.

    A later one has only added (infra/upgrade.md): older processes serve on while newer ones take their place.
    """
    return revision_of(db) >= (head_of(service) or "")


def revision_of(db: Database) -> str:
    """The database's revision; empty before the first. Revisions are numbers of four digits."""
    with db.read() as tx:
        if tx.execute(sa.text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
            return ""
        return str(tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or "")


def _is_newer(service: Service, db: Database) -> bool:
    return revision_of(db) > (head_of(service) or "")
