"""python -m infra.secrets FOLDER: make the secret files of a deployment, once; a second run changes nothing.

Each container is given only the files that it needs. Passwords are in libpq's own password files, one per service
and role, so that no URL, environment or process list ever shows one.
"""

import json
import os
import secrets
import sys
from pathlib import Path

from infra.home import SERVICE_NAMES, Home

APP_UID = 10001
OWNERS = {"postgres_password": 999, "grafana_password": 472}  # users of other images
ADMIN = "postgres"


class SecretsFolder(Home):
    """A home that is nothing but its secrets."""

    @property
    def secrets(self) -> Path:
        return self.folder


def make(folder: Path, issuer: str) -> list[Path]:
    """Make what is missing; returns every file of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    SecretsFolder(folder).prepare_secrets(issuer)
    passwords = json.loads((folder / "passwords.json").read_text())
    for name in SERVICE_NAMES:
        lines = {kind: pgpass(name, f"{name}_{kind}", passwords[f"{name}_{kind}"]) for kind in ("app", "owner")}
        _once(folder / f"pgpass_{name}", lines["app"])
        _once(folder / f"pgpass_{name}_migrate", lines["owner"] + lines["app"])
    _once(folder / "postgres_password", secrets.token_urlsafe(24))
    _once(folder / "pgpass_admin", pgpass("*", ADMIN, (folder / "postgres_password").read_text()))
    _once(folder / "grafana_password", secrets.token_urlsafe(18))
    return sorted(path for path in folder.iterdir() if path.is_file())


def pgpass(database: str, role: str, password: str) -> str:
    """A line of libpq's password file, for any host and port."""
    assert not set(password) & set(":\\\n"), "a password with these characters must be escaped"
    return f"*:*:{database}:{role}:{password}\n"


def give_away(files: list[Path]) -> bool:
    """Give the files to the users of the containers; False where we are not allowed to."""
    if os.geteuid() != 0:
        return False
    for path in files:
        uid = OWNERS.get(path.name, APP_UID)
        os.chown(path, uid, uid)
    return True


def _once(path: Path, content: str) -> None:
    if path.exists():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit(__doc__)
    folder = Path(arguments[0]).resolve()
    files = make(folder, os.environ.get("CLEANPROD_ISSUER", "http://127.0.0.1:8080"))
    sys.stdout.write(f"{len(files)} secret files in {folder}\n")
    if not give_away(files):
        commands = [f"chown {APP_UID} {folder}/*", *(f"chown {uid} {folder}/{name}" for name, uid in OWNERS.items())]
        sys.stdout.write(
            f"The containers run as other users. Give them the files, as root:\n  {' && '.join(commands)}\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
