"""python -m infra.healthcheck URL: exit 0 where the URL answers 2xx within four seconds, else 1."""

import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

SECONDS = 4.0


def status_of(url: str) -> int:
    """The status of a GET; raises OSError where nothing answers."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=SECONDS)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0].startswith("http://"):
        sys.stderr.write("usage: python -m infra.healthcheck http://host:port/path\n")
        return 2
    try:
        status = status_of(arguments[0])
    except OSError as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1
    sys.stdout.write(f"{arguments[0]}: {status}\n")
    return 0 if 200 <= status < 300 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
