"""An access token of one of an instance's clients: python -m infra.token <client, as in credentials.json>."""

import os
import sys
from pathlib import Path

from infra.client import Callers


def main(arguments: list[str]) -> None:
    home = Path(os.environ.get("CLEANPROD_HOME", "var"))
    file = home / "credentials.json"
    if not file.exists():
        sys.exit(f"There is no {file}; start the platform first: make run")
    callers = Callers(file)
    name = arguments[0] if arguments else ""
    if name not in callers.given:
        sys.exit(f"usage: python -m infra.token <client>; one of: {', '.join(callers.given)}")
    sys.stdout.write(callers[name].token() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
