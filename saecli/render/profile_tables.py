"""What a profile says of a latent beyond its statistics: near misses, classes, company, a score."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records import ShowReport
from saecli.render import parts
from saecli.render.numbers import figure, interval, p_value, plural, share

_MOST_NEAR, _MOST_TOGETHER = 4, 5


def near_misses(report: ShowReport) -> RenderableType | None:
    """Pictures on which the latent is silent, nearest to firing first."""
    if not report.near_misses:
        return None
    table = parts.table("Near misses (it is silent)")
    parts.add_words(table, "picture", least=20)
    parts.add_numbers(table, "patch")
    for one in report.near_misses[:_MOST_NEAR]:
        table.add_row(parts.path(one.image.path, 50), str(one.patch))
    return table


def together(report: ShowReport) -> RenderableType | None:
    """Latents of the same dictionary that fire on the same patches."""
    if not report.together:
        return None
    table = parts.table(f"Fires together with, on {plural(report.n_together or 0, 'image')}")
    found = report.together[:_MOST_TOGETHER]
    parts.add_refs(table, [one.ref for one in found])
    parts.add_numbers(table, "of the patches of either")
    parts.add_words(table, "label")
    for one in found:
        table.add_row(Text(one.ref), share(one.share), parts.label(one.label))
    return table


def classes(report: ShowReport) -> RenderableType | None:
    """Classes on whose pictures the latent fires more often than on others."""
    if not report.enriched:
        return None
    table = parts.table("Classes on whose pictures it fires more often")
    parts.add_words(table, "class")
    parts.add_numbers(table, "odds ratio, log₂", "95 % interval", "adjusted p")
    for one in report.enriched:
        table.add_row(
            Text(one.class_), figure(one.log2_odds_ratio), interval(one.ci), p_value(one.q)
        )
    return table


def alike(report: ShowReport) -> str | None:
    """The monosemanticity score as a fact."""
    if report.monosemanticity is None:
        return None
    return f"monosemanticity {figure(report.monosemanticity)}"
