"""The table of runs is what the records say."""

from tests.fault.chaos import README, renewed, runs, table
from tests.fault.lab.nemesis import FAULTS


def test_the_page_shows_what_was_recorded() -> None:
    text = README.read_text(encoding="utf-8")
    assert renewed(text, runs()) == text, "python -m tests.fault.chaos writes it"


def test_the_table_counts_faults_and_names_what_did_not_hold() -> None:
    sizes = {"operations": 10, "unknown": 2}
    good = {"bus": "embedded", "seed": 1, "faults": {"kill": 3}, "checks": 1, "broken": {}, "sizes": sizes}
    bad = good | {"bus": "kafka", "seed": 2, "faults": {"kill": 1, "broker-kill": 4}, "broken": {"I5": 1}}
    shown = table([good, good, bad])
    assert f"| F1 | {FAULTS['kill'].what} | 6 | 1 |" in shown
    assert f"| F3 | {FAULTS['broker-kill'].what} | – | 4 |" in shown
    assert "| **held** | I1–I10 | I5 broken with seed 2 |" in shown
    assert "| 20 (4) | 10 (2) |" in shown
