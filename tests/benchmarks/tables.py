"""The figures as tables on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

Row = tuple[str, ...]


def show(name: str, figures: dict[str, Any]) -> None:
    """Print a part's figures."""
    heads, rows = _TABLES[name]
    minutes = f"{figures['minutes']:g} minutes ({figures['cpu_minutes']:g} of CPU)"
    table = Table(*heads, title=f"{name} · {minutes}", title_justify="left")
    for row in rows(figures):
        table.add_row(*row)
    Console(width=130).print(table)


def _share(part: float | None) -> str:
    return "–" if part is None else f"{100 * part:.3g} %"


def _than(part: dict[str, Any]) -> str:
    return "≤" if part["n"] <= part["limit"] else ">"


def _interval(limits: list[float]) -> str:
    return f"[{100 * limits[0]:.1f}, {100 * limits[1]:.1f}]"


def _nulls(figures: dict[str, Any]) -> Iterator[Row]:
    for name, one in figures.items():
        if not isinstance(one, dict) or "supported" not in one or not one["n"]:
            continue
        shares = [one[f"p<={alpha}"] for alpha in ("0.05", "0.1", "0.25")]
        yield (
            name,
            str(one["n"]),
            str(one["refused"]),
            f"{one['supported']} (at most {one['supported_limit']})",
            _interval(one["supported_interval"]),
            str(one["refuted"]),
            *(f"{_share(p['share'])} ({p['n']} {_than(p)} {p['limit']})" for p in shares),
        )


def _power(figures: dict[str, Any]) -> Iterator[Row]:
    rates = {
        "pairs, by the value that stood out more": figures["pairs"],
        **{f"… {side}": rate for side, rate in figures["pairs_by_side"].items()},
        "both values of each pair": figures["values"],
    }
    for name, rate in rates.items():
        if rate["n"]:
            found = f"{rate['supported']} of {rate['n']}"
            yield name, found, _share(rate["share"]), _interval(rate["interval"])
    for one in figures["failed"]:
        which = "" if one["of_pair"] else " (the other value)"
        reasons = ", ".join(one["reasons"])
        yield f"{one['pair']}: {one['attribute']}{which}", one["verdict"], reasons, ""
    for one in figures["left_out"]:
        told = f"told apart {one['told_apart']:.2f}, patches swapped {one['swapped']:.2f}"
        yield one["pair"], "left out", told, ""


def _coverage(figures: dict[str, Any]) -> Iterator[Row]:
    for name, share in figures["cases"].items():
        yield name, _share(share)
    yield "mean", _share(figures["mean"])


def _specificity(figures: dict[str, Any]) -> Iterator[Row]:
    for one in figures["records"]:
        yield (
            one["ground"],
            _share(one["inside"]),
            _interval(one["inside_interval"]),
            _share(one["outside"]),
            "–" if one["ratio"] is None else f"{one['ratio']:.1f}",
            f"{_share(one['random_inside'])} / {_share(one['random_outside'])}",
        )


def _speed(figures: dict[str, Any]) -> Iterator[Row]:
    for one in figures["records"]:
        if "mb" in one:
            told = ", ".join(f"{n} control arms {mb:.0f} MB" for n, mb in one["mb"].items())
            yield one["key"], told, "", ""
            continue
        yield (
            one["key"],
            f"{one['experiment']:.1f} s for {one['n_images']} pictures × {one['arms']} arms",
            f"{one['over_floor']:.2f} × its passes",
            f"{one['whole_over_experiment']:.1f} × as fast as whole networks",
        )


_NULLS = ("", "n", "refused", "supported", "95 %", "refuted", "p ≤ 0.05", "p ≤ 0.1", "p ≤ 0.25")
_TABLES: dict[str, tuple[Row, Callable[[dict[str, Any]], Iterator[Row]]]] = {
    "nulls-a": (_NULLS, _nulls),
    "nulls-b": (_NULLS, _nulls),
    "nulls-one": (_NULLS, _nulls),
    "nulls-raw": (_NULLS, _nulls),
    "power": (("", "supported", "share", "95 %"), _power),
    "coverage": (("95 % intervals of", "cover"), _coverage),
    "specificity": (
        ("ground", "changed in it", "95 %", "elsewhere", "ratio", "random directions, in / out"),
        _specificity,
    ),
    "speed": (("", "", "", ""), _speed),
}
