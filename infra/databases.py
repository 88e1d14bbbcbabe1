"""Databases and roles: what an administrator's connection must make before a service can migrate."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

AdminUrl = Callable[[str], str]
AnyConnection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True)
class Roles:
    """The passwords of a database's owner and application role."""

    owner: str
    app: str


def provide(admin_url: AdminUrl, service: str, roles: Roles) -> None:
    """A database with an owner (migrates) and an application role; nobody else can connect to it.

    `admin_url` gives the administrator's URL of a database. Doing it again changes nothing but the passwords.
    """
    owner, app = f"{service}_owner", f"{service}_app"
    with psycopg.connect(admin_url("postgres"), autocommit=True) as admin:
        for role, password in ((owner, roles.owner), (app, roles.app)):
            _make_role(admin, role, password)
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (service,)).fetchone():
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(service), sql.Identifier(owner)))
        for statement in (
            "REVOKE CONNECT, TEMPORARY ON DATABASE {service} FROM PUBLIC",
            "GRANT CONNECT ON DATABASE {service} TO {owner}, {app}",
        ):
            admin.execute(_named(statement, service, owner, app))
    with psycopg.connect(admin_url(service), autocommit=True) as admin:
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {app}",
            "GRANT ALL ON SCHEMA public TO {owner}",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app}",
        ):
            admin.execute(_named(statement, service, owner, app))


def _make_role(admin: AnyConnection, role: str, password: str) -> None:
    known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = "ALTER" if known else "CREATE"
    statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
    admin.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def _named(statement: str, service: str, owner: str, app: str) -> sql.Composed:
    return sql.SQL(statement).format(
        service=sql.Identifier(service), owner=sql.Identifier(owner), app=sql.Identifier(app)
    )
