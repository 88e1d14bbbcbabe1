"""`make run`: the whole product from one command."""

import shared.starting  # noqa: F401  # before everything else
from infra.instance import main

if __name__ == "__main__":
    main()
