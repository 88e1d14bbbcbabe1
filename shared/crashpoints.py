"""Named places where a test may end the process with SIGKILL, to prove that nothing is lost there."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

CRASH_POINTS = {
    "action.before_commit": "an HTTP write did its work, the transaction is still open",
    "action.after_commit": "an HTTP write is committed, the answer has not left",
    "relay.before_publish": "the relay has read pending rows, nothing is on the bus",
    "relay.after_publish": "the rows are on the bus, not yet marked as published",
    "relay.after_mark": "the rows are marked as published",
    "consumer.before_settle": "the consumer has records, no handler has run",
    "consumer.in_handler": "handlers have run, their transaction is still open",
    "consumer.after_settle": "the handlers' effects are committed, the offset has not moved",
    "consumer.after_offset": "the offset has moved",
    "dispatcher.after_claim": "deliveries are claimed, nothing is posted",
    "dispatcher.after_post": "the receiver has answered, the attempt is not recorded",
    "dispatcher.after_record": "the attempt is recorded",
    "import.in_progress": "an import has written rows, its transaction is still open",
    "import.after_commit": "an import is committed, its progress has not been told",
    "publish.in_progress": "a list is half published, its transaction is still open",
}

_watcher: Callable[[str], None] | None = None


def crash_point(name: str) -> None:
    """End the process here if the test's file names this point, once; without such a file, two comparisons and a look in a cache."""
    if _watcher is not None:
        _watcher(name)
    if (file := _crash_file()) is not None:
        assert name in CRASH_POINTS, name
        _crash_if_named(file, name)


@cache
def _crash_file() -> Path | None:
    given = os.environ.get("CLEANPROD_CRASH_FILE")
    return Path(given) if given else None


@contextmanager
def watched(watcher: Callable[[str], None]) -> Iterator[None]:
    """Let a simulation see every point of this process as it is passed; it crashes by raising a `BaseException`."""
    global _watcher
    before, _watcher = _watcher, watcher
    try:
        yield
    finally:
        _watcher = before


def _crash_if_named(file: Path, name: str) -> None:
    try:
        if file.read_text() != name:
            return
        file.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
