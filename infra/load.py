"""Hand a file to a running instance and show its progress: python -m infra.load enterprises|records|list FILE [TITLE]."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from infra.client import Callers, Refused

PLACES = {"enterprises": "/registry/v1/imports", "records": "/credit/v1/imports"}


def main(arguments: list[str]) -> None:
    if len(arguments) < 2 or arguments[0] not in {*PLACES, "list"}:
        sys.exit(__doc__)
    kind, file = arguments[0], Path(arguments[1])
    callers = Callers(Path(os.environ.get("CLEANPROD_HOME", "var")) / "credentials.json")
    began = time.monotonic()
    try:
        job = _handed_in(callers, kind, file, arguments[2] if len(arguments) > 2 else file.stem)
    except Refused as refused:
        sys.exit(str(refused))
    sys.stdout.write(f"\n{job['state']} in {time.monotonic() - began:.1f} s: {job['result'] or job.get('error')}\n")
    if job["result"]:
        _show_problems(callers, kind, job["result"]["import"])
    sys.exit(0 if job["state"] == "succeeded" else 1)


def _handed_in(callers: Callers, kind: str, file: Path, title: str) -> Any:
    province = callers["provincial_ecology"]
    if kind != "list":
        return province.follow(PLACES[kind], file.name, file.read_bytes(), {"kind": kind, "on_error": "skip"}, _progress)
    body = {"kind": "mandatory", "year": time.localtime().tm_year, "document_no": title, "title": title}
    made = province.post("/audits/v1/lists", body)
    sys.stdout.write(f"list {made['id']} (draft)\n")
    return province.follow(f"/audits/v1/lists/{made['id']}/imports", file.name, file.read_bytes(), {}, _progress)


def _progress(done: int, total: int) -> None:
    sys.stdout.write(f"\r{done:>8} / {total} rows")
    sys.stdout.flush()


def _show_problems(callers: Callers, kind: str, import_id: str) -> None:
    service = {"enterprises": "registry", "records": "credit", "list": "audits"}[kind]
    rows = callers["provincial_ecology"].get(f"/{service}/v1/imports/{import_id}/rows", limit=20)
    for row in rows["items"]:
        place = f"{row['sheet']}!{row['column']}{row['row']}"
        sys.stdout.write(f"  {row['severity']:7} {place:16} {row['code']}: {row['message']['zh']}\n")
    if rows["next"]:
        sys.stdout.write("  …\n")


if __name__ == "__main__":
    main(sys.argv[1:])
