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
    """The share of testable attributes that are supported, and the others by name.

    A pair differs in one attribute of two values, and often only one of these has latents (a blue
    wing, not a grey one; a band, not its absence). So a pair stands for that value of the two whose
    latents stood out more on the pictures that chose them; both are listed.
    """
    tried = [record for record in records if record["eligible"]]
    found = [record for record in tried if record["verdict"] == "supported"]
    pairs: dict[tuple[str, ...], Record] = {}
    for record in tried:
        pair = (record["side"], *sorted((record["class"], record["expect"])))
        if pair not in pairs or record["clarity"] > pairs[pair]["clarity"]:
            pairs[pair] = record
    chosen = list(pairs.values())
    hits = [record for record in chosen if record in found]
    return {
        "pairs": _rate(len(hits), len(chosen)),
        "pairs_by_side": {
            side: _rate(
                sum(r["side"] == side for r in hits), sum(r["side"] == side for r in chosen)
            )
            for side in sorted({record["side"] for record in chosen})
        },
        "values": _rate(len(found), len(tried)),
        "left_out": [_named(r, "told_apart", "swapped") for r in records if not r["eligible"]],
        "failed": [
            {"of_pair": r in chosen}
            | _named(r, "attribute", "verdict", "reasons", "effect", "baseline", "p", "without")
            for r in tried
            if r not in found
        ],
    }


def _rate(found: int, n: int) -> dict[str, Any]:
    return {
        "supported": found,
        "n": n,
        "share": found / n if n else None,
        "interval": _interval(found, n) if n else None,
    }


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
    "nulls-one": nulls,
    "nulls-raw": nulls,
    "power": power,
    "coverage": coverage,
    "specificity": each,
    "speed": each,
}
