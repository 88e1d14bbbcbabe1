"""Importing a file, the same in every service: queue, validate row by row, write all or none, answer by cell."""

from shared.imports.routes import accept_import, imports_router
from shared.imports.run import IMPORT_JOB, Counts, ImportKind, ImportRun, import_job
from shared.imports.tables import ImportFile, ImportRow

__all__ = [
    "IMPORT_JOB",
    "Counts",
    "ImportFile",
    "ImportKind",
    "ImportRow",
    "ImportRun",
    "accept_import",
    "import_job",
    "imports_router",
]
