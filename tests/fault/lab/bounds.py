"""I8: bounded: memory, open files, connections, and the time to be back after each end."""

from pathlib import Path

import psycopg

from tests.fault.lab.topology import Lab

MEMORY = 1024 * 1024 * 1024  # the limit of a container in docker-compose.yml
FILES = 512
THREADS = 256  # as the container's limit of pids
CONNECTIONS = 290
BACK = 120.0  # a machine that does much else at the same time; the measured times are in the record
IDLE = 30  # seconds that a transaction may be idle


def bounded(lab: Lab) -> list[str]:
    """What a process has more of than it may."""
    found = []
    for part in lab.supervisor.parts.values():
        for what, have, most in (
            ("bytes of memory", resident(part.pid), MEMORY),
            ("open files", len(list(Path(f"/proc/{part.pid}/fd").iterdir())) if part.pid else 0, FILES),
            ("threads", len(list(Path(f"/proc/{part.pid}/task").iterdir())) if part.pid else 0, THREADS),
            ("seconds to be back", int(max(part.recovered, default=0.0)), int(BACK)),
        ):
            if have > most:
                found.append(f"{part.name}: {have} {what}, at most {most}")
    return found + _sessions(lab)


def resident(pid: int) -> int:
    """The memory of a process; 0 where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def _sessions(lab: Lab) -> list[str]:
    with psycopg.connect(lab.postgres.admin_url()) as admin:
        row = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'").fetchone()
        idle = admin.execute(
            "SELECT datname, pid, now() - state_change, left(query, 100) FROM pg_stat_activity"
            " WHERE state LIKE 'idle in transaction%%' AND state_change < now() - make_interval(secs => %s)",
            (IDLE,),
        ).fetchall()
    count = row[0] if row else 0
    found = [f"{count} connections to PostgreSQL"] if count > CONNECTIONS else []
    return found + [
        f"an idle transaction in {name} (pid {pid}) since {since}: {query}" for name, pid, since, query in idle
    ]
