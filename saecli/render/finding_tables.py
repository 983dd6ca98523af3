"""Tables of what was found, and of what was handed on."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records.finding import WrittenReport
from saecli.render import parts
from saecli.render.numbers import plural


def report_table(report: WrittenReport) -> RenderableType:
    """Where a page was written and what it holds."""
    held = [plural(len(report.latents), "latent")] if report.latents else []
    held += [plural(len(report.experiments), "experiment")] if report.experiments else []
    return parts.lines(
        Text(report.out, style=parts.HEADING),
        parts.facts(
            *held, f"{report.size / 1000:,.0f} kB", "one file that opens anywhere, offline"
        ),
        Text(f"catalog {report.catalog_id} · schema {report.schema}", style=parts.QUIET),
    )
