"""What every answer carries that does not say it otherwise itself: not guessed at, kept by no cache, framed by no page."""

from collections.abc import Sequence

Headers = Sequence[tuple[bytes, bytes]]

HARMLESS: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


def completed(given: Headers, request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with its request id and what is missing of the above."""
    named = {name for name, _ in given}
    return [*given, (b"x-request-id", request_id.encode()), *(header for header in HARMLESS if header[0] not in named)]
