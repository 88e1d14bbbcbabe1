"""The home folder of an instance: its lock, secrets, database roles and clock."""

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from joserfc.jwk import ECKey, OKPKey

from infra.postgres import BUS, EmbeddedPostgres, Roles
from shared.auth import TokenSigner
from shared.sealing import new_key
from shared.settings import Settings

SERVICE_NAMES = ("registry", "audits", "credit", "incentives", "notifications")


class CannotStart(Exception):
    """One clear sentence about why an instance cannot start."""


@dataclass
class Home:
    """Where an instance keeps everything; one running instance per home."""

    folder: Path
    _lock: IO[str] | None = None

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials.json"

    @property
    def clock(self) -> Path:
        return self.folder / "clock"

    def take(self) -> None:
        """Make the folder and hold its lock; raises `CannotStart`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "lock").open("w")
        except OSError as error:
            raise CannotStart(f"The home folder {self.folder} cannot be written: {error.strerror}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(f"The home folder {self.folder} is in use by another running instance.") from error

    def prepare_secrets(self, issuer: str) -> None:
        """Make what is missing: signing keys, the sealing key, the passwords of the database roles."""
        self.secrets.mkdir(mode=0o700, exist_ok=True)
        token_key = ECKey.generate_key("P-256")
        self._once("token_key.pem", token_key.as_pem(private=True).decode())
        self._once("webhook_key.pem", OKPKey.generate_key("Ed25519").as_pem(private=True).decode())
        self._once("sealing.key", new_key())
        self._once("pepper", secrets.token_urlsafe(32))
        passwords = {role: secrets.token_urlsafe(18) for role in self._roles()}
        self._once("passwords.json", json.dumps(passwords))
        signer = TokenSigner.from_file(self.secrets / "token_key.pem", issuer)
        _private_write(self.secrets / "jwks.json", json.dumps(signer.jwks()))

    def _roles(self) -> list[str]:
        return [f"{name}_{kind}" for name in (*SERVICE_NAMES, BUS) for kind in ("owner", "app")]

    def _once(self, name: str, content: str) -> None:
        path = self.secrets / name
        if not path.exists():
            _private_write(path, content)

    def environment(self, postgres: EmbeddedPostgres, settings: Settings) -> dict[str, str]:
        """The environment that a process of this instance runs with; also provides the databases it names."""
        passwords = json.loads((self.secrets / "passwords.json").read_text())
        found = {
            "CLEANPROD_SECRETS": str(self.secrets),
            "CLEANPROD_ISSUER": settings.issuer,
            "CLEANPROD_BUS": settings.bus,
            "CLEANPROD_KAFKA": settings.kafka,
            "CLEANPROD_CLOCK_FILE": str(self.clock),
            "CLEANPROD_WEBHOOK_ALLOW": settings.webhook_allow,
            "CLEANPROD_RETRY_SECONDS": settings.retry_seconds,
            "CLEANPROD_HOST": settings.host,
            "CLEANPROD_PORT": str(settings.port),
            "CLEANPROD_LOG_LEVEL": settings.log_level,
        }
        for name in SERVICE_NAMES:
            postgres.provide(name, Roles(passwords[f"{name}_owner"], passwords[f"{name}_app"]))
            found[f"{name.upper()}_DATABASE_URL"] = postgres.url(name, f"{name}_app", passwords[f"{name}_app"])
            found[f"{name.upper()}_OWNER_URL"] = postgres.url(name, f"{name}_owner", passwords[f"{name}_owner"])
        postgres.provide(BUS, Roles(passwords["bus_owner"], passwords["bus_app"]))
        found["BUS_DATABASE_URL"] = postgres.url(BUS, "bus_owner", passwords["bus_owner"])
        return found


def _private_write(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
