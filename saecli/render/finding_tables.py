"""Tables of what was found, and of what was handed on."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records.finding import FoundLatent, FoundReport, SimilarReport, WrittenReport
from saecli.render import parts
from saecli.render.numbers import figure, interval, p_value, plural, share


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


def similar_table(report: SimilarReport) -> RenderableType:
    """The latents most like one, with the three relations beside one another."""
    head = parts.heading(report.ref, report.label).append("\n")
    head.append_text(
        parts.facts(
            _RELATIONS[report.by].replace("places", report.together_over.split()[0]),
            f"{plural(report.n_images, 'picture')} of {report.image_set}",
        )
    )
    if not report.results:
        return parts.stack(head, Text("It fires on none of them, so nothing is like it."))
    table = parts.table()
    parts.add_refs(table, [one.ref for one in report.results])
    parts.add_numbers(table, "alike", "together", "decoder", "density")
    parts.add_words(table, "label")
    parts.add_exemplars(table)
    for one in report.results:
        table.add_row(
            Text(one.ref),
            figure(one.fires_alike),
            figure(one.fires_together),
            figure(one.decoder),
            share(one.density),
            parts.label(one.label),
            parts.exemplars(one.exemplars),
        )
    legend = Text(
        "alike: r of the largest activations on each picture · together: of the "
        f"{report.together_over.split()[0]} on which either fires, those on which both do · "
        "decoder: cosine",
        style=parts.QUIET,
    )
    return parts.stack(head, table, legend)


_RELATIONS = {
    "alike": "those that fire most alike",
    "together": "those that fire most on the same places",
    "decoder": "those that write the nearest direction",
}


def found_table(report: FoundReport) -> RenderableType:
    """A page of what was found."""
    if not report.n_found:
        return Text(f"Nothing found: {report.query}.")
    of_class = any(one.of_class for one in report.results)
    seen = any(one.activation is not None for one in report.results)
    scored = report.sort == "score" and any(
        one.of_class is None or one.score != one.of_class.auroc for one in report.results
    )
    table = parts.table()
    parts.add_refs(table, [one.ref for one in report.results])
    parts.add_words(table, "label")
    parts.add_numbers(table, *(["score"] if scored else []), *(["activation"] if seen else []))
    if of_class:
        parts.add_numbers(table, "AUROC", "95 % interval", "q")
    parts.add_numbers(table, "density", "mean", "largest")
    parts.add_exemplars(table)
    for one in report.results:
        cells = [figure(one.score, 3)] if scored else []
        cells += [figure(one.activation)] if seen else []
        if of_class and one.of_class is not None:
            told = one.of_class
            cells += [figure(told.auroc, 3), interval(told.ci, 3), p_value(told.q)]
        table.add_row(
            Text(one.ref),
            _label(one),
            *cells,
            share(one.density),
            figure(one.mean_activation),
            figure(one.max_activation),
            parts.exemplars(one.exemplars),
        )
    return parts.stack(table, _place(report))


def _place(report: FoundReport) -> RenderableType | None:
    """Which page it is, what the scores are, and what was stored."""
    last = report.skip + len(report.results)
    numbers = ", ".join(map(str, report.observations))
    more = f"--skip {last} shows the next" if last < report.n_found else None
    line = parts.facts(
        f"{report.skip + 1:,}–{last:,} of {report.n_found:,}"
        if report.results
        else f"{report.n_found:,} found, fewer than --skip {report.skip:,}",
        more,
        f"score: {report.score_of}" if report.score_of else None,
        f"observation {numbers}" if numbers else None,
    )
    line.stylize(parts.QUIET)
    return line


def _label(one: FoundLatent) -> Text:
    """A person's label; else the automatic one that was found, marked as such."""
    if one.label is None and one.automatic_label is not None:
        return Text(f"{one.automatic_label} (automatic)", style=parts.QUIET)
    return parts.label(one.label)
