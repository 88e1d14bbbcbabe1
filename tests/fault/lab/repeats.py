"""I7: every request that was answered, sent again with its key, is answered the same and changes nothing."""

import random
from collections.abc import Mapping

from tests.fault.lab.caller import LabCaller
from tests.fault.lab.history import OK, History, Operation
from tests.fault.lab.snapshot import Snapshot


def retries_safe(history: History, callers: Mapping[str, LabCaller], chance: random.Random, most: int) -> list[str]:
    """Repeat what was answered (`most` of it, chosen by chance); what came back otherwise than before."""
    posts = [op for op in history.of(OK) if op.method == "POST"]
    chosen = chance.sample(posts, most) if len(posts) > most else posts
    return [complaint for op in chosen if (complaint := _different(op, callers[op.client]))]


def _different(op: Operation, caller: LabCaller) -> str:
    answer = caller.repeat(op)
    if (answer.status_code, answer.content) != (op.status, op.body):
        return f"{op.key}: {op.path} was {op.status} {op.body[:200]!r}, again {answer.status_code} {answer.content[:200]!r}"
    if answer.headers.get("idempotency-replayed") != "true":
        return f"{op.key}: {op.path} was done again rather than repeated"
    return ""


def nothing_changed(before: Snapshot, after: Snapshot) -> list[str]:
    """The repetitions left no row behind."""
    old, new = before.counts, after.counts
    return [
        f"{table}: {old[table]} rows before the repetitions, {new[table]} after"
        for table in old
        if old[table] != new[table]
    ]
