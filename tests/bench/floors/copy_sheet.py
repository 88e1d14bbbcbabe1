"""Floor of the import: read the same workbook with calamine and COPY its rows into a table. DATABASE_URL; FILE."""

import os
import sys
import time

import psycopg
import python_calamine


def main(file: str) -> float:
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        began = time.perf_counter()
        header, *rows = python_calamine.load_workbook(file).get_sheet_by_index(0).to_python()
        columns = ", ".join(f"c{number} text" for number in range(len(header)))
        database.execute("DROP TABLE IF EXISTS sheet")
        database.execute(f"CREATE TABLE sheet ({columns})")
        with database.cursor().copy("COPY sheet FROM STDIN") as into:
            for row in rows:
                into.write_row([str(cell) for cell in row])
        database.commit()
        return len(rows) / (time.perf_counter() - began)


if __name__ == "__main__":
    print(main(sys.argv[1]))
