"""Makes fictional aluminium smelters with their consumption facts: python tests/data/make_smelters.py OUT [--count 40]."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.data.firms import SEED, SMELTERS, firms

ALUMINIUM = "3216"
DATA_YEAR = 2025
SOURCE = "示例用能报告"


def smelters(count: int) -> Iterator[dict[str, Any]]:
    """One object per smelter: the body that registers it, and the bodies of its facts (values as decimal strings)."""
    random = Random(f"{SEED}-consumption")
    for number, firm in enumerate(firms(count, series=SMELTERS, industry=ALUMINIUM)):
        per_tonne = random.randint(12_800, 14_600)
        tonnes = random.randint(50, 400) * 1_000
        values = {
            "al_kwh_per_t": str(per_tonne),
            "al_production_kwh": str(per_tonne * tonnes),
            "renewable_share_pct": f"{random.randint(0, 400) / 10:.1f}",
            "grid_account": f"43{number:08d}",
        }
        yield {
            "enterprise": {
                "uscc": firm.uscc,
                "name": firm.name,
                "division": firm.division,
                "industry": firm.industry,
                "legal_representative": firm.legal_representative,
                "address": firm.address,
                "above_scale": True,
            },
            "facts": [_fact(code, value) for code, value in values.items()],
        }


def _fact(code: str, value: str) -> dict[str, str]:
    fact = {"code": code, "value": value, "valid_from": f"{DATA_YEAR}-01-01"}
    if code != "grid_account":
        fact["valid_to"] = f"{DATA_YEAR}-12-31"
    return fact | {"source": SOURCE}


def make(out: Path, count: int) -> Path:
    """One JSON object a line."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "smelters.jsonl"
    lines = (json.dumps(smelter, ensure_ascii=False) + "\n" for smelter in smelters(count))
    path.write_text("".join(lines), encoding="utf-8")
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=40)
    wanted = parser.parse_args()
    print(make(wanted.out, wanted.count))
