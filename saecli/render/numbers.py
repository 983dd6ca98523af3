"""Counts, rates and durations as people read them."""


def count(value: float) -> str:
    """Three figures and a decimal multiple: 8.72, 31.2, 312, 12.3k, 1.02M."""
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * factor:
            return f"{_three_figures(value / factor)}{suffix}"
    return _three_figures(value)


def _three_figures(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def rate(per_second: float) -> str:
    """`312/s`, `12.3k/s`, and for slow steps `2.4 s each`; empty for none."""
    if per_second <= 0:
        return ""
    return f"{count(per_second)}/s" if per_second >= 1 else f"{1 / per_second:.1f} s each"


def duration(seconds: float) -> str:
    """`8 s`, `1:04 min`, `2:03:10 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def share(value: float | None) -> str:
    """A share as a percentage of two or three figures; `–` for none, `<0.01 %` for next to none."""
    if value is None or value != value:
        return "–"
    percent = 100 * value
    if 0 < percent < 0.01:
        return "<0.01 %"
    if percent >= 99.95 or percent == 0:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 9.995 else f"{percent:.2f} %"


def shares(ends: list[float] | None) -> str:
    """An interval of a share, `[93.1 %, 100 %]`, or nothing for none."""
    return "" if ends is None else f"[{share(ends[0])}, {share(ends[1])}]"


def figure(value: float | None, digits: int = 2) -> str:
    """A number with a fixed number of decimals, a real minus sign, and `–` for none."""
    if value is None or value != value:
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def interval(ends: list[float] | None, digits: int = 2) -> str:
    """`[0.61, 0.79]`, or `–`."""
    return "–" if ends is None else f"[{figure(ends[0], digits)}, {figure(ends[1], digits)}]"


def p_value(value: float | None) -> str:
    """`0.010`, `<0.001`, or `–`."""
    if value is None or value != value:
        return "–"
    return f"{value:.3f}" if value >= 0.0005 else "<0.001"


def ranges(numbers: list[int]) -> str:
    """`3, 4, 10–13`: ascending whole numbers, runs of three and more drawn together."""
    runs: list[list[int]] = []
    for n in sorted(set(numbers)):
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    parts: list[str] = []
    for run in runs:
        parts += [f"{run[0]}–{run[-1]}"] if len(run) > 2 else [str(n) for n in run]
    return ", ".join(parts)


def plural(n: int, noun: str) -> str:
    """`1 latent`, `1,536 latents`, `2 dictionaries`, `3 classes`, `5 patches`."""
    if n == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{n:,} {noun[:-1]}ies"
    return f"{n:,} {noun}{'es' if noun.endswith(('s', 'ch')) else 's'}"


def one_of_them(unit: str) -> str:
    """A unit's singular: `image` of `images`, `stratum` of `strata`."""
    odd = {"strata": "stratum", "hypotheses": "hypothesis", "patches": "patch"}
    return odd.get(unit, unit.removesuffix("s"))
