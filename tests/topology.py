"""docker-compose.yml as tests read it: the same commands and environments, run as plain processes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::?-(?P<default>[^}]*))?\}")


def interpolated(text: str, given: Mapping[str, str]) -> str:
    """`${NAME}` and `${NAME:-default}` as Compose reads them; a name without value or default is a KeyError."""

    def value(found: re.Match[str]) -> str:
        default = found["default"]
        return given.get(found["name"]) or (default if default is not None else given[found["name"]])

    return _VARIABLE.sub(value, text)


@dataclass(frozen=True)
class Topology:
    """The parsed compose file; `given` fills its variables."""

    given: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def document(self) -> dict[str, Any]:
        text = interpolated((ROOT / "docker-compose.yml").read_text(encoding="utf-8"), self.given)
        found: dict[str, Any] = yaml.safe_load(text)
        return found

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.document["services"]
        return found

    def command(self, service: str) -> list[str]:
        """The service's command; `python` is the interpreter that runs the tests."""
        given = [str(part) for part in self.services[service]["command"]]
        return [sys.executable if part == "python" else part for part in given]

    def environment(self, service: str) -> dict[str, str]:
        return {name: str(value) for name, value in self.services[service].get("environment", {}).items()}

    def secrets(self, service: str) -> dict[str, str]:
        """Which secret lies under which name in `/run/secrets` of the container."""
        given = [s if isinstance(s, dict) else {"source": s, "target": s} for s in self.services[service]["secrets"]]
        return {secret["target"]: secret["source"] for secret in given}

    def order(self, service: str) -> list[str]:
        """What must be there first, nearest last."""
        before = [other for name in self.services[service].get("depends_on", {}) for other in self.order(name)]
        return list(dict.fromkeys([*before, service]))


@dataclass
class Containers:
    """Compose's application services as processes: a folder for each one's secrets, and nothing else but its settings."""

    topology: Topology
    secrets: Path
    folder: Path

    def environment(self, service: str, **changed: str) -> dict[str, str]:
        """What the container would see, with its own view of `/run/secrets`."""
        mine = self.folder / service
        mine.mkdir(parents=True, exist_ok=True)
        for target, source in self.topology.secrets(service).items() if self._has_secrets(service) else ():
            if not (mine / target).exists():
                (mine / target).write_bytes((self.secrets / source).read_bytes())
                (mine / target).chmod(0o600)
        found = self.topology.environment(service) | {"CLEANPROD_HOST": "127.0.0.1"} | changed
        found = {name: value.replace("/run/secrets", str(mine)) for name, value in found.items()}
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"} | found

    def run(self, service: str, *instead: str, **changed: str) -> str:
        """Run a one-shot to its end, or another `python` command in its place; its output, an AssertionError if it fails."""
        done = subprocess.run(
            [sys.executable, *instead] if instead else self.topology.command(service),
            env=self.environment(service, **changed),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{service}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        return done.stdout

    @contextmanager
    def started(self, service: str, **changed: str) -> Iterator[subprocess.Popen[bytes]]:
        """A long-running service, with its output in `<service>.log`; asked to end at the end, as Docker would."""
        log = (self.folder / f"{service}.log").open("wb")
        process = subprocess.Popen(
            self.topology.command(service),
            env=self.environment(service, **changed),
            cwd=self.folder,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()

    def _has_secrets(self, service: str) -> bool:
        return bool(self.topology.services[service].get("secrets"))
