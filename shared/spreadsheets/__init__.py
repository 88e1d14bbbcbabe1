"""Spreadsheets that people send and receive: reading, finding the header, problems by row, writing back."""

from shared.spreadsheets.cells import (
    DateCell,
    Reasons,
    clean_code,
    clean_text,
    read_date,
    read_flag,
    read_number,
    split_reasons,
)
from shared.spreadsheets.columns import RESULT_HEADER, Column, Columns, load_columns
from shared.spreadsheets.headers import Found, HeaderProblem, find_tables
from shared.spreadsheets.limits import LIMITS, FileProblem, Limits, is_empty
from shared.spreadsheets.reading import read_table
from shared.spreadsheets.rowproblems import CODES, RowProblem, severity_of, text_of
from shared.spreadsheets.rows import Row, Table
from shared.spreadsheets.sheets import Sheet, Sheets, Value, shown
from shared.spreadsheets.template import template
from shared.spreadsheets.workbook import annotated_workbook
from shared.spreadsheets.writing import write_rows

__all__ = [
    "CODES",
    "LIMITS",
    "RESULT_HEADER",
    "Column",
    "Columns",
    "DateCell",
    "FileProblem",
    "Found",
    "HeaderProblem",
    "Limits",
    "Reasons",
    "Row",
    "RowProblem",
    "Sheet",
    "Sheets",
    "Table",
    "Value",
    "annotated_workbook",
    "clean_code",
    "clean_text",
    "find_tables",
    "is_empty",
    "load_columns",
    "read_date",
    "read_flag",
    "read_number",
    "read_table",
    "severity_of",
    "shown",
    "split_reasons",
    "template",
    "text_of",
    "write_rows",
]
