"""The charts of a report: a latent's histogram, an experiment's effects, its doses."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import asinh, log

from markupsafe import Markup

from saecli.records import DoseReport, KnockoutReport
from saecli.render.arm_tables import DRAWN_APART, NAMES
from saecli.render.dose_tables import scale
from saecli.render.numbers import figure, interval
from saecli.render.report.drawing import Canvas, Point, around, ticks

STRIP, CURVE, SHARES, BARS = 34, 300, 150, 130  # heights of drawings, in pixels
ROOM = 7.0  # per cent of the width between two doses' numbers


@dataclass(frozen=True)
class Mark:
    """Words at a place along an axis, in per cent of its length."""

    at: float
    words: str


@dataclass(frozen=True)
class Plot:
    """A drawing with the numbers of its axes."""

    drawing: Markup
    height: int
    below: Sequence[Mark]
    beside: Sequence[Mark]


@dataclass(frozen=True)
class Strip:
    """One kind of edit: its effect on an axis that all strips share."""

    name: str
    note: str
    meaning: str
    drawing: Markup


@dataclass(frozen=True)
class Strips:
    """The effects of an experiment's edits over one axis."""

    rows: Sequence[Strip]
    below: Sequence[Mark]


def histogram_plot(found: dict[str, list[float]] | None) -> Plot | None:
    """Active patches by activation, on a logarithmic axis; None where nothing is known."""
    counts = [] if found is None else found.get("counts", [])
    edges = [] if found is None else found.get("edges", [])
    filled = [i for i, n in enumerate(counts) if n]
    if not filled or len(edges) != len(counts) + 1 or edges[filled[0]] <= 0:
        return None
    chosen = range(filled[0], filled[-1] + 1)
    ends = (log(edges[chosen[0]]), log(edges[chosen[-1] + 1]))
    most = max(counts)
    words = f"histogram of activations from {edges[chosen[0]]:.3g} to {edges[chosen[-1] + 1]:.3g}"
    canvas = Canvas(ends, (0, most), BARS, words)
    for i in chosen:
        low, high = log(edges[i]), log(edges[i + 1])
        gap = 0.08 * (high - low)
        canvas.box((low + gap, 0), (high - gap, counts[i]), "bar")
    shown = [edges[chosen[0]], *_powers(edges[chosen[0]], edges[chosen[-1] + 1])]
    shown.append(edges[chosen[-1] + 1])
    below = _apart([Mark(canvas.left(log(one)), f"{one:.3g}") for one in shown])
    beside = [Mark(100, f"{most:,.0f}")]
    return Plot(canvas.svg(), BARS, below, beside)


def effect_strips(report: KnockoutReport) -> Strips:
    """Every kind of edit's effect; controls one by one, intervals as lines."""
    drawn: dict[str, list[float]] = report.extras.get("control_effects", {})
    bound = abs(report.smallest_effect)
    meanings = {arm.kind: arm.meaning for arm in report.arms}
    rows: list[tuple[str, float, Point | None, Sequence[float], str, str]] = [
        (
            "target",
            report.effect,
            (report.ci[0], report.ci[1]),
            (),
            f"{figure(report.effect)} {interval(report.ci)}",
            "tested",
        )
    ]
    for kind, control in report.controls.items():
        note = f"{figure(control.mean)} ± {figure(control.sd)}, {control.n} of them"
        note += f", p = {figure(control.p_value, 3)}"
        rows.append((kind, control.mean, None, drawn.get(kind, ()), note, "control"))
    for arm in report.arms:
        if arm.kind in DRAWN_APART:
            continue
        span = None if arm.ci is None else (arm.ci[0], arm.ci[1])
        note = figure(arm.effect) + (f" {interval(arm.ci)}" if arm.ci else f", {arm.n} of them")
        rows.append((arm.kind, arm.effect, span, (), note, "other"))
    values = [0.0, -bound, bound]
    for _, mean, span, singles, _, _ in rows:
        values += [mean, *(span or ()), *singles]
    ends = around(values)
    strips = []
    for kind, mean, span, singles, note, style in rows:
        name = NAMES.get(kind, kind.replace("_", " "))
        canvas = Canvas(ends, (0, 1), STRIP, f"{name}: {note}")
        canvas.box((-bound, 0), (bound, 1), "inside")
        canvas.upright(0, "zero")
        if span is not None:
            canvas.line([(span[0], 0.5), (span[1], 0.5)], f"span {style}")
        for single in singles:
            canvas.dot((single, 0.5), "single")
        canvas.dot((mean, 0.5), style)
        strips.append(Strip(name, note, meanings.get(kind, ""), canvas.svg()))
    return Strips(strips, [Mark(canvas.left(v), _number(v)) for v in ticks(*ends)])


def dose_plots(report: KnockoutReport) -> tuple[Plot, Plot] | None:
    """Effect and shares over doses beside random pushes of their size; None without doses."""
    doses = report.doses or []
    if not doses:
        return None
    bound = abs(report.smallest_effect)
    x = [asinh(one.amount) for one in doses]
    across = (x[0], x[-1]) if x[0] < x[-1] else (x[0] - 1, x[0] + 1)
    pushed = [one.random_directions for one in doses]
    values = [-bound, bound]
    values += [value for one in pushed for value in one.effects]
    values += [limit for one in doses for limit in one.ci]
    upper = Canvas(across, around(values), CURVE, _dose_words(doses))
    upper.box((across[0], -bound), (across[1], bound), "inside")
    for tick in ticks(*upper.y):
        upper.across(tick, "zero" if abs(tick) < 1e-9 else "rule")
    upper.band(
        [(at, max(one.effects)) for at, one in zip(x, pushed, strict=True)],
        [(at, min(one.effects)) for at, one in zip(x, pushed, strict=True)],
        "pushed",
    )
    for at, one in zip(x, pushed, strict=True):
        for effect in one.effects:
            upper.dot((at, effect), "single")
    upper.line([(at, one.mean) for at, one in zip(x, pushed, strict=True)], "curve control")
    upper.band(
        [(at, one.ci[1]) for at, one in zip(x, doses, strict=True)],
        [(at, one.ci[0]) for at, one in zip(x, doses, strict=True)],
        "certain",
    )
    _curve(upper, [(at, one.effect) for at, one in zip(x, doses, strict=True)], "tested")
    below = [
        Mark(upper.left(at), f"{one.amount:g}".replace("-", "−"))
        for at, one in zip(x, doses, strict=True)
    ]
    return (
        Plot(upper.svg(), CURVE, _apart(below), _beside(upper)),
        _share_plot(report, doses, x, across, _apart(below)),
    )


def _share_plot(
    report: KnockoutReport,
    doses: Sequence[DoseReport],
    x: Sequence[float],
    across: Point,
    below: Sequence[Mark],
) -> Plot:
    segmentation = report.changed is not None
    canvas = Canvas(across, (-0.04, 1.04), SHARES, "shares that changed at each dose")
    for tick in (0.0, 0.5, 1.0):
        canvas.across(tick, "rule")
    curves: dict[str, list[float | None]] = {
        "control": [
            (one.random_directions.changed or {}).get("target")
            if segmentation
            else one.random_directions.from_class
            for one in doses
        ]
    }
    if segmentation:
        curves["other"] = [(one.changed or {}).get("other") for one in doses]
        curves["tested"] = [(one.changed or {}).get("target") for one in doses]
    else:
        curves["tested"] = [one.flipped["from_class"] for one in doses]
    for kind, values in curves.items():
        _curve(canvas, [(at, v) for at, v in zip(x, values, strict=True) if v is not None], kind)
    marks = [Mark(100 * (one + 0.04) / 1.08, f"{100 * one:.0f} %") for one in (0.0, 0.5, 1.0)]
    return Plot(canvas.svg(), SHARES, below, marks)


def _curve(canvas: Canvas, points: Sequence[Point], kind: str) -> None:
    if points:
        canvas.line(points, f"curve {kind}")
    for point in points:
        canvas.dot(point, kind)


def _dose_words(doses: Sequence[DoseReport]) -> str:
    told = ", ".join(f"{one.amount:g}: {one.effect:.2f}" for one in doses)
    return f"effect in nats at so many times the {scale(list(doses))}: {told}"


def _beside(canvas: Canvas) -> list[Mark]:
    low, high = canvas.y
    return [Mark(100 * (v - low) / (high - low), _number(v)) for v in ticks(low, high)]


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten within a range."""
    found = [m * 10.0**e for e in range(-12, 13) for m in (1, 2, 5)]
    return [one for one in found if low < one < high]


def _apart(marks: Sequence[Mark]) -> list[Mark]:
    """The marks without those that would touch another; the first and the last stay."""
    if len(marks) < 3:
        return list(marks)
    last = marks[-1]
    kept = [marks[0]]
    for mark in marks[1:-1]:
        if mark.at - kept[-1].at >= ROOM and last.at - mark.at >= ROOM:
            kept.append(mark)
    return [*kept, last]


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−") if abs(value) > 1e-9 else "0"
