"""Processes of the product, executed, or forked from one that has done the imports.

What a test kills again and again would otherwise spend two thirds of its time on importing.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

from infra.lifeline import end_with_parent
from tests.topology import ROOT

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["shared.starting", "infra.instance"])


class Forked:
    """`python -m <module> <arguments>`, with the ways of a subprocess.Popen."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self._process = _CONTEXT.Process(target=_become, args=(arguments, environment, log), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = subprocess.Popen[bytes] | Forked


def started(command: list[str], environment: dict[str, str], log: Path, *, forked: bool) -> Process:
    """A process of the product that ends with this one and writes to a log; `forked` for `python -m` commands alone."""
    if forked:
        python, option, *arguments = command
        assert (python, option) == (sys.executable, "-m"), command
        return Forked(arguments, environment, log)
    with log.open("ab") as output:
        return subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=output, stderr=output, preexec_fn=end_with_parent
        )


def _become(arguments: list[str], environment: dict[str, str], log: Path) -> None:
    """What a start does beside importing: the environment, the folder, the log, and then the module as a program."""
    end_with_parent()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.argv[:] = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
