"""Settings of a process, read once from the environment and passed down as values."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every process needs to know; `<SERVICE>_DATABASE_URL` is read by `database_url`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    bus: str = Field(default="postgres", validation_alias="CLEANPROD_BUS")
    kafka: str = Field(default="127.0.0.1:9092", validation_alias="CLEANPROD_KAFKA")
    bus_url: str = Field(default="", validation_alias="BUS_DATABASE_URL")
    secrets: Path = Field(default=Path("/run/secrets"), validation_alias="CLEANPROD_SECRETS")
    issuer: str = Field(default="http://127.0.0.1:8000", validation_alias="CLEANPROD_ISSUER")
    clock: Path | None = Field(default=None, validation_alias="CLEANPROD_CLOCK_FILE")
    webhook_allow: str = Field(default="", validation_alias="CLEANPROD_WEBHOOK_ALLOW")
    retry_seconds: str = Field(default="", validation_alias="CLEANPROD_RETRY_SECONDS")
    log_level: str = Field(default="INFO", validation_alias="CLEANPROD_LOG_LEVEL")
    host: str = Field(default="127.0.0.1", validation_alias="CLEANPROD_HOST")
    port: int = Field(default=8000, validation_alias="CLEANPROD_PORT")
    status_port: int = Field(default=0, validation_alias="CLEANPROD_STATUS_PORT")


class DatabaseUrls(BaseSettings):
    """The connection of one service: the application's role, and the owner's for migrations."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    database_url: str
    owner_url: str = ""

    @classmethod
    def of(cls, service: str) -> "DatabaseUrls":
        """Read `<SERVICE>_DATABASE_URL` and `<SERVICE>_OWNER_URL`; missing: a validation error at start."""
        return cls(_env_prefix=f"{service.upper()}_")
