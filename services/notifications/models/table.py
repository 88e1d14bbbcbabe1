"""The table base of the notifications service."""

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

metadata = sa.MetaData()


class Table(SQLModel, registry=registry(metadata=metadata)):
    """The base of this service's tables; with metadata of its own, five services can live in one process."""

    metadata = metadata
