"""The gateway's own configuration, with other addresses, in a running nginx."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.topology import ROOT


class Gateway:
    """nginx on `port` of 127.0.0.1 before the services at `ports` (and `documents`); `changes` replace text of its file."""

    def __init__(
        self, nginx: str, folder: Path, port: int, ports: Mapping[str, Sequence[str]], changes: Mapping[str, str] | None = None
    ) -> None:
        self.base, self._port = f"http://127.0.0.1:{port}", port
        configuration = _configured(folder, port, ports, changes or {})
        # As root, nginx would change to a user that cannot read the test's folder.
        started = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        self.command = [nginx, "-e", str(folder / "errors"), "-c", str(configuration), "-g", started]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it where it does not run, and wait until it takes connections."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(self.command, start_new_session=True)
        _opened(self._port)

    def reload(self) -> None:
        """New workers take over, the old ones end with their last request."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Master and workers, in the middle of whatever they do."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)


@contextmanager
def running_gateway(
    nginx: str, folder: Path, port: int, ports: Mapping[str, Sequence[str]], changes: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A `Gateway` for the time of the block."""
    gateway = Gateway(nginx, folder, port, ports, changes)
    gateway.start()
    try:
        yield
    finally:
        gateway.stop()


def _configured(folder: Path, port: int, ports: Mapping[str, Sequence[str]], changes: Mapping[str, str]) -> Path:
    shutil.copytree(ROOT / "infra/gateway", folder / "gateway")
    upstreams = (folder / "gateway/upstreams.conf").read_text()
    for name, replicas in ports.items():
        servers = "".join(f" server 127.0.0.1:{replica};" for replica in replicas)
        upstreams += f"upstream {name}_replicas {{{servers} keepalive 32; }}\n"
        named = "documents:8000" if name == "documents" else f"{name}-api:8000"
        upstreams = upstreams.replace(named, f"{name}_replicas")
    (folder / "gateway/upstreams.conf").write_text(upstreams)
    main = folder / "gateway/nginx.conf"
    text = main.read_text().replace("/tmp/", f"{folder}/").replace("listen 8080", f"listen 127.0.0.1:{port}")
    text = text.replace("/dev/stdout", f"{folder}/access").replace("/dev/stderr", f"{folder}/errors")
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    main.write_text(text)
    return main


def _opened(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < end, "nginx did not start"
            time.sleep(0.05)
