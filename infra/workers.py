"""Worker processes of an instance on Kafka: one per service, started again when one ends."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn

import structlog

from infra.lifeline import end_with_parent
from shared.run import settle_in, work
from shared.service import Service
from shared.settings import Settings

PAUSE = 1.0  # seconds between an end and the next start
PATIENCE = 15.0  # seconds for all to end in order
_HEARD = {signal.SIGCHLD, signal.SIGTERM}
log = structlog.get_logger("workers")


class Workers:
    """Does for each service what `python -m services.<name> worker` does; all end with this process, however it ends.

    A keeper is forked off, which forks the workers: five times the same imports would be most of the time of a start.
    To be made while this process has one thread: a fork takes no other along.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        hears, self._go = os.pipe()
        self._stopping = threading.Event()
        self._keeper = os.fork()
        if self._keeper == 0:
            _live(partial(_keep, services, hears))
        os.close(hears)
        self._watcher = threading.Thread(target=self._watch, name="watch-workers", daemon=True)

    def start(self) -> None:
        """Let them work: their databases are there."""
        os.write(self._go, b"!")
        self._watcher.start()

    def stop(self) -> None:
        """Ask all to end, wait, then insist."""
        if not self._stopping.is_set():
            self._stopping.set()
            with suppress(ProcessLookupError):
                os.kill(self._keeper, signal.SIGTERM)
        if self._watcher.ident is None:
            os.waitpid(self._keeper, 0)
        else:
            self._watcher.join()
        os.close(self._go)

    def _watch(self) -> None:
        """Without a keeper nobody starts a worker again: then this process ends too, in order."""
        os.waitpid(self._keeper, 0)
        if not self._stopping.is_set():
            self._stopping.set()
            log.error("workers.keeper_ended")
            os.kill(os.getpid(), signal.SIGTERM)


def _live(life: Callable[[], None]) -> NoReturn:
    """All that a forked process does: what its parent had in hand does not go on in it."""
    code = 1
    try:
        life()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _keep(services: Sequence[Service], hears: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()  # ctrl-C is for the parent, which ends them in order
    end_with_parent()
    # What the parent holds, the lock of its home above all, must not be held a moment longer than it lives.
    os.closerange(3, hears)
    os.closerange(hears + 1, os.sysconf("SC_OPEN_MAX"))
    if os.read(hears, 1):
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        settle_in()
        _Keeper(services).run()


class _Keeper:
    def __init__(self, services: Sequence[Service]) -> None:
        self._due = [(0.0, service) for service in services]
        self._running: dict[int, Service] = {}

    def run(self) -> None:
        """Start what is due and note what has ended, until SIGTERM."""
        told: int | None = None
        while told != signal.SIGTERM:
            now = time.monotonic()
            for at, service in [due for due in self._due if due[0] <= now]:
                self._due.remove((at, service))
                self._running[self._start(service)] = service
            told = _heard(min((at for at, _ in self._due), default=now + 3600) - now)
            for service, code in self._ended():
                log.warning("worker.ended", service=service.name, code=code)
                self._due.append((time.monotonic() + PAUSE, service))
        self._end()

    def _start(self, service: Service) -> int:
        pid = os.fork()
        if pid == 0:
            _live(partial(_work, service))
        return pid

    def _ended(self) -> list[tuple[Service, int]]:
        found = []
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            found.append((self._running.pop(pid), os.waitstatus_to_exitcode(status)))
        return found

    def _end(self) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        while self._running and (left := until - time.monotonic()) > 0:
            _heard(left)
            self._ended()
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _heard(seconds: float) -> int | None:
    """The signal that came within these seconds."""
    told = signal.sigtimedwait(_HEARD, max(seconds, 0))
    return told.si_signo if told is not None else None


def _work(service: Service) -> None:
    end_with_parent()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
    work(service, Settings())
