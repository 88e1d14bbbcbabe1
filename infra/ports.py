"""Ports for what is started on this machine for a while: the demo's instance, and all that tests start."""

import secrets
import socket
from contextlib import suppress

# Below the ports that outgoing connections are given (32768 and up): one of thousands would take it before a slow start does.
LISTENED = range(16_384, 32_768)


def free_port() -> int:
    """A port to listen on, some seconds from now."""
    while True:
        port = secrets.choice(LISTENED)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
