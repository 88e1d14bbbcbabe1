"""An import through the registry's API, from the upload to the end of its job; every round has firms of its own."""

import os
import tempfile
import time
from pathlib import Path

from infra.client import until
from shared.spreadsheets import write_rows
from tests.bench.measure import Figure, Scale, in_turns
from tests.bench.stage import Stage, outcome
from tests.data.firms import REGISTERED, UNREGISTERED, firms
from tests.data.make_register import HEADERS, row_of

PATH = "/registry/v1/imports"


def figures(stage: Stage, scale: Scale) -> list[Figure]:
    count = scale.of(20_000, 4_000)
    series = [REGISTERED, UNREGISTERED][: scale.of(2, 1)]
    os.environ["DATABASE_URL"] = stage.floor_url
    with tempfile.TemporaryDirectory() as folder:
        files = [_workbook(Path(folder), name, count) for name in series]
        fresh = iter(files)
        floor, ours = in_turns(
            len(files),
            lambda: outcome("tests.bench.floors.copy_sheet", str(files[0])),
            lambda: _import(stage, next(fresh), count),
        )
    return [Figure(f"import of {count:,} rows", ours, floor, "rows/s", 0.1)]


def _workbook(folder: Path, series: str, count: int) -> Path:
    path = folder / f"{series}.xlsx"
    write_rows(path, HEADERS, map(row_of, firms(count, series=series)), sheet="企业")
    return path


def _import(stage: Stage, file: Path, count: int) -> float:
    office, content = stage.callers["provincial_ecology"], file.read_bytes()
    office.token()
    began = time.perf_counter()
    job = office.job(PATH, file.name, content, kind="enterprises", dry_run="false")
    spent = time.perf_counter() - began
    made = job["result"]["created"] + job["result"]["unchanged"] + job["result"]["updated"]
    assert job["state"] == "succeeded" and made == count, job
    until(lambda: _quiet(stage), seconds=120, what="the other services to have heard")
    return count / spent


def _quiet(stage: Stage) -> bool:
    """Every service has settled what the import has told, so that the next measure has the machine to itself."""
    answer = stage.callers["provincial_ecology"].request("GET", "/readyz").json()
    return all(part.get("lag", 0) == 0 for part in answer.get("services", {}).values())
