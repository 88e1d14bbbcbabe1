"""The streams of an OLE compound file (MS-CFB), as much of it as finding a workbook needs."""

import struct
from dataclasses import dataclass

from shared.spreadsheets.limits import broken

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST = 0xFFFFFFFA  # sector numbers from here on are marks, not sectors
_ENTRY = 128


@dataclass(frozen=True)
class _Entry:
    name: str
    kind: int
    start: int
    size: int


class CompoundFile:
    """Directory and streams. Raises `file_unreadable` where the chains do not hold; every walk is bounded by the file's size."""

    def __init__(self, content: bytes) -> None:
        if len(content) < 512 or not content.startswith(SIGNATURE):
            raise broken()
        self.content = content
        shift, mini_shift = struct.unpack_from("<HH", content, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise broken()
        self.sector = 1 << shift
        self.sectors = len(content) // self.sector
        (directory,) = struct.unpack_from("<I", content, 48)
        self.cutoff, mini_start, _, difat, _ = struct.unpack_from("<IIIII", content, 56)
        self.table = self._table(difat)
        self.entries = self._directory(self._chain(directory, self.table, self.sectors))
        self.mini_table = self._longs(self._join(self._chain(mini_start, self.table, self.sectors)))

    def names(self) -> set[str]:
        return {entry.name for entry in self.entries}

    def stream(self, name: str) -> bytes | None:
        """The bytes of the stream of that name, None where there is none."""
        entry = next((entry for entry in self.entries if entry.name == name and entry.kind == 2), None)
        if entry is None:
            return None
        if entry.size > len(self.content):
            raise broken()
        if entry.size >= self.cutoff:
            return self._join(self._chain(entry.start, self.table, self.sectors))[: entry.size]
        root = next(entry for entry in self.entries if entry.kind == 5)
        mini = self._join(self._chain(root.start, self.table, self.sectors))
        chain = self._chain(entry.start, self.mini_table, len(self.mini_table))
        return b"".join(mini[number * 64 : number * 64 + 64] for number in chain)[: entry.size]

    def _table(self, difat: int) -> list[int]:
        numbers = list(struct.unpack_from("<109I", self.content, 76))
        for _ in range(self.sectors):
            if difat >= _LAST:
                break
            *more, difat = self._longs(self._bytes(difat))
            numbers += more
        used = [number for number in numbers if number < _LAST][: self.sectors]
        return self._longs(self._join(used))

    def _chain(self, start: int, table: list[int], most: int) -> list[int]:
        chain: list[int] = []
        while start < _LAST:
            if start >= len(table) or len(chain) > most:
                raise broken()
            chain.append(start)
            start = table[start]
        return chain

    def _directory(self, chain: list[int]) -> list[_Entry]:
        data = self._join(chain)
        entries: list[_Entry] = []
        for at in range(0, len(data) - _ENTRY + 1, _ENTRY):
            length, kind = struct.unpack_from("<HB", data, at + 64)
            if kind:
                name = data[at : at + max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
                entries.append(_Entry(name, kind, *struct.unpack_from("<II", data, at + 116)))
        if not any(entry.kind == 5 for entry in entries):
            raise broken()
        return entries

    def _bytes(self, number: int) -> bytes:
        at = (number + 1) * self.sector
        data = self.content[at : at + self.sector]
        if not data:
            raise broken()
        return data

    def _join(self, chain: list[int]) -> bytes:
        return b"".join(map(self._bytes, chain))

    def _longs(self, data: bytes) -> list[int]:
        count = len(data) // 4
        return list(struct.unpack(f"<{count}I", data[: count * 4]))
