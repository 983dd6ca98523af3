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
