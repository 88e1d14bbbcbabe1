"""How much an endpoint is trusted with at once, so that one that never answers holds up nobody else.

Every endpoint begins small, may have one more post under way with each success, and is left with one after a post that was
not answered: the slow start of a connection, for the same reason.
"""

import asyncio
from collections import deque
from types import TracebackType
from uuid import UUID

FIRST, MOST = 2, 16
LANES_PER_POST = 4
LANES_AT_FIRST = FIRST * LANES_PER_POST


class Window:
    """One endpoint's: an async context manager around each post, and the count of its lanes that are held."""

    def __init__(self) -> None:
        self.size, self.lanes = FIRST, 0
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def lanes_allowed(self) -> int:
        return self.size * LANES_PER_POST if self.size > 1 else 1

    def succeeded(self) -> None:
        self.size = min(MOST, self.size + 1)

    def unanswered(self) -> None:
        self.size = 1

    async def __aenter__(self) -> None:
        while self._under_way >= self.size:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._under_way += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._under_way -= 1
        free = self.size - self._under_way
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1


class Windows:
    """The windows of every endpoint that this dispatcher has sent to."""

    def __init__(self) -> None:
        self._of: dict[UUID, Window] = {}

    def of(self, subscription: UUID) -> Window:
        return self._of.setdefault(subscription, Window())

    def taken(self) -> dict[UUID, int]:
        """For each endpoint, how many of the lanes that a new one is given are taken; below zero where it may have more."""
        return {id_: LANES_AT_FIRST - (window.lanes_allowed - window.lanes) for id_, window in self._of.items()}
