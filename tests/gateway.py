"""The gateway's own configuration, with other addresses, in a running nginx."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.topology import ROOT


@contextmanager
def running_gateway(
    nginx: str, folder: Path, port: int, ports: Mapping[str, Sequence[str]], changes: Mapping[str, str] | None = None
) -> Iterator[None]:
    """nginx on `port` of 127.0.0.1 before the services at `ports` (and `documents`); `changes` replace text of its file."""
    configuration = _configured(folder, port, ports, changes or {})
    # As root, nginx would change to a user that cannot read the test's folder.
    started = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    process = subprocess.Popen([nginx, "-e", str(folder / "errors"), "-c", str(configuration), "-g", started])
    try:
        _opened(port)
        yield
    finally:
        process.terminate()
        process.wait(10)


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
