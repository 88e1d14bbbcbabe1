"""Floor of the tier list: COPY TO STDOUT of the same rows, read to the end. DATABASE_URL; LIST COUNT."""

import os
import sys
import time

import psycopg

COLUMNS = (
    "id, list_version, account_no, uscc, name, instrument, price_year, data_year, metric_value, threshold,"
    " rate_yuan_per_kwh, effective_from, effective_to, supersedes, legal_basis"
)


def main(list_id: str, count: int) -> float:
    statement = f"COPY (SELECT {COLUMNS} FROM tier_entry WHERE list_id = '{list_id}' ORDER BY position) TO STDOUT"
    with psycopg.connect(os.environ["DATABASE_URL"]) as database, database.cursor() as cursor:
        began, lines = time.perf_counter(), 0
        with cursor.copy(statement) as rows:
            for piece in rows:
                lines += bytes(piece).count(b"\n")
        assert lines == count, lines
        return lines / (time.perf_counter() - began)


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
