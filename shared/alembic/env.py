"""Alembic's environment, once for all services."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import types

from shared.db import Database
from shared.messaging.tables import metadata as messaging

given = context.config.attributes


def plain_types(kind: str, thing: Any, _: Any) -> str | Literal[False]:
    """Render our columns as plain ones, so that a migration imports nothing of ours."""
    if kind == "type" and isinstance(thing, types.TypeEngine) and type(thing).__module__.startswith("sqlmodel"):
        return f"sa.String(length={getattr(thing, 'length', None)})"
    return False


database = Database(given["url"], pool=1)
try:
    with database.engine.connect() as connection:
        context.configure(
            connection,
            target_metadata=[given["service"].tables, messaging],
            render_item=plain_types,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
finally:
    database.dispose()
