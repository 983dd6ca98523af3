"""What the records of each part come to, as plain figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import binom, binomtest

Record = dict[str, Any]

ALPHAS = (0.05, 0.1, 0.25)
LIMIT = 0.99  # one-sided: what a valid rule exceeds once in a hundred


def nulls(records: Sequence[Record]) -> dict[str, Any]:
    """False positives and the p-values' distribution, in all and by kind of null and side."""
    groups = {"all": list(records)}
    for name in ("kind", "side"):
        for value in sorted({record[name] for record in records}):
            groups[value] = [record for record in records if record[name] == value]
    return {name: _nulls(group) for name, group in groups.items()}


def _nulls(records: Sequence[Record]) -> dict[str, Any]:
    done = [record for record in records if "verdict" in record]
    n, found = len(done), sum(record["verdict"] == "supported" for record in done)
    told: dict[str, Any] = {"n": n, "refused": len(records) - n, "supported": found}
    if not n:
        return told
    p = np.array([record["p"] for record in done])
    told["supported_limit"] = int(binom.ppf(LIMIT, n, ALPHAS[0]))
    told["supported_interval"] = _interval(found, n)
    told["refuted"] = sum(record["verdict"] == "refuted" for record in done)
    told["shared"] = sum(bool(r["shared"]) for r in done if r["verdict"] == "supported")
    for alpha in ALPHAS:
        below = int((p <= alpha + 1e-9).sum())
        told[f"p<={alpha:g}"] = {
            "share": below / n,
            "n": below,
            "limit": int(binom.ppf(LIMIT, n, alpha)),
            "interval": _interval(below, n),
            "by_kind": {
                kind: sum(r["p_values"][kind] <= alpha + 1e-9 for r in done) / n
                for kind in ("other_latents", "random_directions")
            },
        }
    told["passes"] = found <= told["supported_limit"] and all(
        told[f"p<={alpha:g}"]["n"] <= told[f"p<={alpha:g}"]["limit"] for alpha in ALPHAS
    )
    return told


def _interval(found: int, n: int) -> list[float]:
    interval = binomtest(found, n).proportion_ci(0.95, method="exact")
    return [float(interval.low), float(interval.high)]


def power(records: Sequence[Record]) -> dict[str, Any]:
    """The share of testable attributes that are supported, and the others by name."""
    tried = [record for record in records if record["eligible"]]
    found = [record for record in tried if record["verdict"] == "supported"]
    told: dict[str, Any] = {
        "n": len(tried),
        "supported": len(found),
        "share": len(found) / len(tried) if tried else None,
        "interval": _interval(len(found), len(tried)) if tried else None,
        "by_side": {},
        "left_out": [_named(r, "told_apart", "swapped") for r in records if not r["eligible"]],
        "failed": [
            _named(r, "verdict", "reasons", "effect", "baseline", "p", "without", "latents")
            for r in tried
            if r not in found
        ],
    }
    for side in sorted({record["side"] for record in tried}):
        own = [record for record in tried if record["side"] == side]
        told["by_side"][side] = [sum(r in found for r in own), len(own)]
    return told


def _named(record: Record, *names: str) -> Record:
    pair = f"{record['side']}: {record['class']} / {record['expect']}"
    return {"pair": pair} | {name: record.get(name) for name in names}


def coverage(records: Sequence[Record]) -> dict[str, Any]:
    """Every case, and how many lie within 93 to 97 %."""
    shares = {record["case"]: record["covered"] for record in records}
    values = np.array(list(shares.values()))
    return {
        "cases": shares,
        "mean": float(values.mean()),
        "within": int(((values >= 0.93) & (values <= 0.97)).sum()),
        "n": len(values),
    }


def each(records: Sequence[Record]) -> dict[str, Any]:
    """The records themselves."""
    return {"records": list(records)}


SUMMARIES: dict[str, Callable[[Sequence[Record]], dict[str, Any]]] = {
    "nulls-a": nulls,
    "nulls-b": nulls,
    "power": power,
    "coverage": coverage,
    "specificity": each,
    "speed": each,
}
