"""Which columns a kind of file has, declared as data beside the service that owns the kind."""

import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from shared.datafiles import read_data
from shared.problems import Text

Form = Literal["text", "code", "date", "number"]
RESULT_HEADER = "校验结果"
NO_HINT = Text("", "")
_NOTHING = str.maketrans("", "", " \t\r\n*＊:：_\u3000\u00a0\u200b\u200c\u200d\u2060\ufeff")


def plain_header(text: str) -> str:
    """A header as it is compared: width, spaces, line breaks, required marks and a note in brackets make no difference."""
    narrow = unicodedata.normalize("NFKC", text).translate(_NOTHING)
    bare, opened, _ = narrow.partition("(")
    return (bare if opened and bare else narrow).upper()


@dataclass(frozen=True)
class Column:
    """One column: `choices` maps what a person may write to what it means, `offered` is what the drop-down shows of it.

    `several` takes more than the drop-down says; an `ignored` column is accepted and not read.
    """

    key: str
    header: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    ignored: bool = False
    form: Form = "text"
    hint: Text = NO_HINT
    choices: dict[str, str] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    several: bool = False
    width: int = 16


@dataclass(frozen=True)
class Columns:
    """The columns of one kind of file, in the order of its template."""

    kind: str
    title: Text
    columns: tuple[Column, ...]
    notes: tuple[Text, ...] = ()

    @cached_property
    def by_header(self) -> dict[str, Column]:
        """Every accepted spelling (`plain_header`) to its column."""
        return {
            plain_header(spelling): column for column in self.columns for spelling in (column.header, *column.aliases)
        }

    @cached_property
    def by_key(self) -> dict[str, Column]:
        return {column.key: column for column in self.columns}

    @property
    def required(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.required)

    @property
    def template_columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if not column.ignored)


def load_columns(path: Path) -> Columns:
    """The declaration in a YAML file; ValueError where a spelling names two columns, or a field is not known."""
    document = read_data(path)
    columns = Columns(
        kind=document["kind"],
        title=Text(**document["title"]),
        columns=tuple(map(_column, document["columns"])),
        notes=tuple(Text(**note) for note in document.get("notes", [])),
    )
    spellings = [plain_header(text) for column in columns.columns for text in (column.header, *column.aliases)]
    twice = {spelling for spelling in spellings if spellings.count(spelling) > 1}
    if twice:
        raise ValueError(f"{path.name}: {sorted(twice)} would name two columns")
    return columns


def _column(entry: dict[str, Any]) -> Column:
    known = dict(entry)
    known["aliases"] = tuple(known.get("aliases", ()))
    known["offered"] = tuple(known.get("offered", ()))
    known["hint"] = Text(**known["hint"]) if "hint" in known else NO_HINT
    known["choices"] = dict(known.get("choices", {}))
    try:
        return Column(**known)
    except TypeError as error:
        raise ValueError(f"column {entry.get('key')}: {error}") from error
