"""A report's page: its content put into the templates."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from saecli.render.arm_tables import NAMES
from saecli.render.dose_tables import scale
from saecli.render.knockout_table import concept, edit_words
from saecli.render.numbers import figure, interval, p_value, plural, share
from saecli.render.parts import registration
from saecli.render.report.charts import dose_plots, effect_strips, histogram_plot
from saecli.render.report.content import Page
from saecli.render.report.tiles import address, heat_svg, scale_css
from saecli.render.verdict_lines import verdict_reasons


def render_page(page: Page) -> str:
    """One HTML document that refers to nothing outside itself: no script, font, picture or style.

    Every text is escaped; a content security policy forbids the browser to fetch anything.
    """
    return _environment().get_template("page.html").render(page=page, heat_scale=scale_css())


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("saecli.render.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "address": address,
        "concept": concept,
        "figure": figure,
        "interval": interval,
        "p_value": p_value,
        "share": share,
    }
    made.globals |= {
        "dose_plots": dose_plots,
        "edit_words": edit_words,
        "effect_strips": effect_strips,
        "heat_svg": heat_svg,
        "histogram_plot": histogram_plot,
        "kind_names": NAMES,
        "plural": plural,
        "registration": registration,
        "scale": scale,
        "verdict_reasons": verdict_reasons,
    }
    return made
