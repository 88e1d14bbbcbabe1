"""The levels of clean production, best first."""

from enum import StrEnum


class Level(StrEnum):
    """A level an indicator or an enterprise reaches; `BELOW` misses Level III."""

    I = "I"  # noqa: E741 - the legal name of the level
    II = "II"
    III = "III"
    BELOW = "BELOW"

    @property
    def rank(self) -> int:
        """3 for Level I down to 0 for `BELOW`."""
        return _RANKS[self]

    def meets(self, wanted: "Level") -> bool:
        """Whether this level is the wanted one or better: membership is cumulative."""
        return self.rank >= wanted.rank


_RANKS = {Level.I: 3, Level.II: 2, Level.III: 1, Level.BELOW: 0}
GRADES = (Level.I, Level.II, Level.III)
