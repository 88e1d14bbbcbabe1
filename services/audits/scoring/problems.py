"""What can be wrong with a scoring request."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoreProblem:
    """One fault of the request: a stable code, the JSON pointer of the place, a sentence in both languages."""

    code: str
    pointer: str
    zh: str
    en: str


class ScoreProblems(Exception):
    """The request cannot be scored; carries every fault found, in the order of the request."""

    def __init__(self, problems: tuple[ScoreProblem, ...]) -> None:
        super().__init__("; ".join(f"{found.pointer} {found.code}" for found in problems))
        self.problems = problems


def pointer(*parts: str) -> str:
    """A JSON pointer (RFC 6901) to the place named by these keys."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
