"""The template of a kind of file: the headers that its validator reads, drop-downs, hints, instructions."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from shared.spreadsheets.columns import Column, Columns
from shared.spreadsheets.writing import Styles, open_workbook, put

LAST_ROW = 5_000
_CHOICES = "选项"
_NOTES = "填写说明"
_REQUIRED_FILL, _OPTIONAL_FILL = "#DDEBF7", "#F2F2F2"


def template(columns: Columns, *, choices: Mapping[str, Sequence[str]] | None = None) -> bytes:
    """An .xlsx whose first sheet has the header row only; `choices` adds or replaces drop-downs by column key.

    Codes and texts are text cells, dates are date cells, so that Excel does not rewrite what a person types.
    """
    target = io.BytesIO()
    workbook = open_workbook(target)
    styles = Styles(workbook)
    form = workbook.add_worksheet(columns.title.zh[:31])
    notes = workbook.add_worksheet(_NOTES)
    lists = workbook.add_worksheet(_CHOICES)
    lists.very_hidden()
    form.freeze_panes(1, 0)
    for at, column in enumerate(columns.template_columns):
        offered = list((choices or {}).get(column.key) or column.offered or column.choices)
        _header(form, at, column, styles)
        _validation(form, at, column, _offer(lists, at, offered, styles))
    _notes(notes, columns, styles)
    workbook.close()
    return target.getvalue()


def _header(form: Any, at: int, column: Column, styles: Styles) -> None:
    shape = {"date": "yyyy-mm-dd", "number": "General"}.get(column.form, "@")
    form.set_column(at, at, column.width, styles.get(num_format=shape))
    fill = _REQUIRED_FILL if column.required else _OPTIONAL_FILL
    put(form, (0, at), column.header, styles, bold=True, bg_color=fill, border=1, align="center", num_format="@")
    need = "必填 Required" if column.required else "选填 Optional"
    form.write_comment(0, at, f"{need}\n{column.hint.zh}\n{column.hint.en}", {"author": "cleanprod", "x_scale": 2})


def _offer(lists: Any, at: int, offered: list[str], styles: Styles) -> str | None:
    if not offered:
        return None
    for row, choice in enumerate(offered):
        put(lists, (row, at), choice, styles)
    letter = chr(65 + at)
    return f"={_CHOICES}!${letter}$1:${letter}${len(offered)}"


def _validation(form: Any, at: int, column: Column, source: str | None) -> None:
    rule: dict[str, Any] = {
        "input_title": column.header[:32],
        "input_message": f"{column.hint.zh}\n{column.hint.en}"[:255],
        "ignore_blank": True,
    }
    if source:
        # A column that takes several words at once offers them without refusing their combination.
        rule |= {"validate": "list", "source": source, "show_error": not column.several}
        rule |= {"error_title": column.header[:32], "error_message": "请从下拉列表中选择。Choose from the list."}
    else:
        rule |= {"validate": "any"}
    form.data_validation(1, at, LAST_ROW, at, rule)


def _notes(notes: Any, columns: Columns, styles: Styles) -> None:
    for at, width in enumerate((24, 12, 60, 60)):
        notes.set_column(at, at, width)
    put(notes, (0, 0), f"{columns.title.zh} {columns.title.en}", styles, bold=True)
    for at, word in enumerate(("列 Column", "必填 Required", "说明", "Meaning")):
        put(notes, (2, at), word, styles, bold=True, bg_color=_OPTIONAL_FILL)
    row = 3
    for column in columns.template_columns:
        need = "是 yes" if column.required else "否 no"
        for at, text in enumerate((column.header, need, column.hint.zh, column.hint.en)):
            put(notes, (row, at), text, styles, text_wrap=True, valign="top")
        row += 1
    for note in columns.notes:
        put(notes, (row + 1, 2), note.zh, styles, text_wrap=True, valign="top")
        put(notes, (row + 1, 3), note.en, styles, text_wrap=True, valign="top")
        row += 1
