"""One history per service, one head, no gap, no drift, and a way back."""

import re

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from infra.parts import SERVICES
from shared.db import Database
from shared.messaging.tables import metadata as messaging
from shared.migrations import SERVICES as FOLDER
from shared.migrations import configure
from shared.service import Service
from shared.settings import DatabaseUrls
from tests.conftest import Cluster

EACH = pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)


@EACH
def test_there_is_one_head_and_no_gap(service: Service) -> None:
    script = ScriptDirectory.from_config(configure(service, "postgresql://"))
    assert len(script.get_heads()) == 1
    numbers = sorted(revision.revision for revision in script.walk_revisions())
    assert numbers == [f"{n:04d}" for n in range(1, len(numbers) + 1)]


@EACH
def test_migrations_import_only_alembic_and_sqlalchemy(service: Service) -> None:
    for path in (FOLDER / service.name / "migrations").glob("*.py"):
        imported = set(re.findall(r"^(?:from|import) (\w+)", path.read_text(), re.M))
        assert imported <= {"alembic", "sqlalchemy"}, path.name


@EACH
def test_the_tables_are_what_the_migrations_make(service: Service, environment: dict[str, str]) -> None:
    url = Database(DatabaseUrls.of(service.name).owner_url, pool=1)
    with url.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        both = [service.tables, messaging]
        difference = [d for d in compare_metadata(context, both) if "alembic_version" not in str(d)]  # type: ignore[arg-type]
        assert difference == []
    url.dispose()


@EACH
def test_a_migration_goes_up_and_down_and_up_again(service: Service, environment: dict[str, str]) -> None:
    owner = DatabaseUrls.of(service.name).owner_url
    config = configure(service, owner)
    command.downgrade(config, "base")
    with psycopg.connect(owner) as connection:
        left = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert left == [("alembic_version",)]
    command.upgrade(config, "head")


def test_a_role_connects_to_its_own_database_and_to_no_other(cluster: Cluster) -> None:
    environment = cluster.environment
    for service in SERVICES:
        own = environment[f"{service.name.upper()}_DATABASE_URL"]
        psycopg.connect(own).close()
        for other in SERVICES:
            if other is service:
                continue
            theirs = environment[f"{other.name.upper()}_DATABASE_URL"]
            role = own.split("@", 1)[0]
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(f"{role}@{theirs.split('@', 1)[1]}").close()


@EACH
def test_the_application_cannot_rewrite_what_is_append_only(service: Service, environment: dict[str, str]) -> None:
    with psycopg.connect(environment[f"{service.name.upper()}_DATABASE_URL"], autocommit=True) as connection:
        for table in service.append_only:
            for statement in (f'DELETE FROM "{table}"', f'UPDATE "{table}" SET ctid = ctid', f'TRUNCATE "{table}"'):
                with pytest.raises(psycopg.Error):
                    connection.execute(statement)  # type: ignore[arg-type]


