"""What was asked and what came back: invoke, ok, fail, unknown; one operation is one idempotency key."""

import base64
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPEN, OK, FAIL, UNKNOWN = "open", "ok", "fail", "unknown"


@dataclass
class Operation:
    """A change that a caller wants, and the last that was heard of it."""

    key: str
    client: str
    method: str
    path: str
    json: Any = None
    form: dict[str, str] = field(default_factory=dict)
    file: tuple[str, bytes] | None = None
    if_match: str = ""
    outcome: str = OPEN
    status: int = 0
    body: bytes = b""
    tries: int = 0
    lost: int = 0  # tries whose fate the caller did not learn

    @property
    def answer(self) -> Any:
        return json.loads(self.body) if self.body else None

    def options(self) -> dict[str, Any]:
        """The request's content, the same at every try."""
        headers = {"If-Match": self.if_match} if self.if_match else {}
        if self.method == "POST":
            headers["Idempotency-Key"] = self.key
        if self.file is not None:
            return {"headers": headers, "data": self.form, "files": {"file": self.file}}
        return {"headers": headers} | ({"json": self.json} if self.json is not None else {})

    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = {"client": self.client, "method": self.method, "path": self.path, "json": self.json}
        if self.file is not None:
            found |= {"form": self.form, "file": self.file[0], "base64": base64.b64encode(self.file[1]).decode()}
        return found | ({"if_match": self.if_match} if self.if_match else {})


@dataclass(frozen=True)
class Seen:
    """A read: who saw what."""

    client: str
    path: str
    status: int
    document: Any


class Ended(Exception):
    """The load is over: whoever wanted to begin another operation does not."""


class History:
    """Appended and fsynced before anybody acts on it, so that it outlives whoever writes it."""

    def __init__(self, file: Path) -> None:
        self.operations: list[Operation] = []
        self.seen: list[Seen] = []
        self.done = 0
        self.allowed = sys.maxsize  # operations in all: callers wait with the next one until there are more
        self.ending = False
        self._file = file.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def wait_for_turn(self, stopped: threading.Event) -> None:
        """Return when another operation may begin, or when nobody shall wait any more; `Ended` when none may."""
        while self.done >= self.allowed and not self.ending and not stopped.wait(0.02):
            pass
        if self.ending:
            raise Ended

    def invoke(self, operation: Operation) -> None:
        operation.tries += 1
        first = operation.tries == 1
        if first:
            with self._lock:
                self.operations.append(operation)
        self._write("invoke", operation, **(operation.said() if first else {"try": operation.tries}))

    def ok(self, operation: Operation, status: int, body: bytes) -> None:
        operation.outcome, operation.status, operation.body = OK, status, body
        self.done += 1
        self._write(OK, operation, status=status, body=body.decode("utf-8", "replace"))

    def fail(self, operation: Operation, status: int, body: bytes) -> None:
        operation.outcome, operation.status, operation.body = FAIL, status, body
        self._write(FAIL, operation, status=status, body=body.decode("utf-8", "replace"))

    def unknown(self, operation: Operation, why: str) -> None:
        operation.outcome = UNKNOWN
        operation.lost += 1
        self._write(UNKNOWN, operation, why=why)

    def read(self, seen: Seen) -> None:
        with self._lock:
            self.seen.append(seen)

    def note(self, event: str, **values: Any) -> None:
        """What was done to the topology, between what was asked of it."""
        self._append({"at": time.time(), "event": event} | values)

    def of(self, outcome: str) -> list[Operation]:
        return [operation for operation in self.operations if operation.outcome == outcome]

    def close(self) -> None:
        self._file.close()

    def _write(self, event: str, operation: Operation, **values: Any) -> None:
        self._append({"at": time.time(), "event": event, "op": operation.key} | values)

    def _append(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
