"""One source of chance for a whole run: what the history draws, and what the product's own identifiers are made of."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def drawn_from(chance: random.Random) -> Iterator[None]:
    """Identifiers (`uuid4`) of this process come from `chance`, so that the same seed makes the same events."""
    real = os.urandom
    os.urandom = chance.randbytes
    try:
        yield
    finally:
        os.urandom = real
