"""Names of files that strangers send: kept to be shown and sent back, so without what could mislead a reader or a disk."""

import re
from urllib.parse import quote

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain_name(filename: str) -> str:
    """A name without folders and signs that mislead, at most 200 characters."""
    bare = _UNPRINTABLE.sub("", filename.replace("\\", "/").rsplit("/", 1)[-1]).strip()
    return bare[-200:] or "file"


def attachment(filename: str, plain: str) -> str:
    """The `Content-Disposition` (RFC 6266) of a download; `plain` is for readers that know no other letters than ASCII."""
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
