"""Tables of latents: those of a picture, one by itself, a dictionary's."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records import (
    Exemplar,
    ExplanationReport,
    InspectReport,
    MatchRow,
    ShowDictionaryReport,
    ShowReport,
)
from saecli.render import parts, profile_tables
from saecli.render.label_tables import history_table
from saecli.render.numbers import count, figure, interval, p_value, plural, ranges, share

_MOST_EXEMPLARS = 8


def inspect_table(report: InspectReport) -> RenderableType:
    """The strongest latents of some patches of a picture."""
    head = Text.assemble((report.image.path, parts.HEADING), "\n")
    head.append_text(
        parts.facts(
            Text(report.dictionary, style=parts.REF),
            _chosen(report),
            f"observation {report.observation}",
        )
    )
    sheet = None if report.sheet is None else Text("contact sheet: ").append(report.sheet)
    return parts.stack(
        head, _explained(report.explanation), _inspected(report), _checked(report), sheet
    )


def _inspected(report: InspectReport) -> RenderableType:
    explained = report.explanation is not None
    table = parts.table()
    parts.add_refs(table, [latent.ref for latent in report.latents])
    if explained:
        parts.add_numbers(table, "attribution")
        table.add_column("", no_wrap=True, min_width=10)
        parts.add_numbers(table, "knocked out")
    parts.add_numbers(table, "activation")
    if not explained:
        table.add_column("", no_wrap=True, min_width=10)
    parts.add_numbers(table, "density")
    parts.add_words(table, "label")
    parts.add_exemplars(table)
    sizes = [
        abs(latent.activation if latent.attribution is None else latent.attribution)
        for latent in report.latents
    ]
    most = max(sizes, default=0.0)
    for latent, size in zip(report.latents, sizes, strict=True):
        speaks_for = latent.attribution is not None and latent.attribution < 0
        bar = parts.bar(size, most, style="magenta" if speaks_for else "cyan")
        activation = figure(latent.activation)
        figures: list[str | Text] = [activation, bar]
        if explained:
            figures = [figure(latent.attribution, 3), bar, figure(latent.effect, 3), activation]
        table.add_row(
            Text(latent.ref),
            *figures,
            share(latent.density),
            parts.label(latent.label),
            parts.exemplars(latent.exemplars),
        )
    return table


def _explained(told: ExplanationReport | None) -> RenderableType | None:
    if told is None:
        return None
    return parts.facts(
        Text.assemble(
            (told.class_, parts.HEADING), f" over {told.against}" if told.against else ""
        ),
        f"{share(told.probability)} by {told.probe}",
        f"margin {figure(told.margin)} nats",
    )


def _checked(report: InspectReport) -> RenderableType | None:
    """What the figures mean, and how far the ranking can be trusted."""
    told = report.explanation
    if told is None:
        return None
    if not report.latents:
        return Text(f"No latent there speaks for '{told.class_}'.", style=parts.OPEN)
    of = "" if told.n_checked == told.n_active else f" of {told.n_active:,}"
    latents = plural(told.n_checked, "active latent")
    return parts.lines(
        Text("Change of the margin, in nats, if a latent is set to 0: by its slope, and done."),
        Text(f"Rank correlation of the two {figure(told.rank_correlation)} over {latents}{of}."),
        _missed(report, told),
        None
        if told.next_command is None
        else Text(f"test it on other pictures: {told.next_command}", style=parts.QUIET),
    )


def _missed(report: InspectReport, told: ExplanationReport) -> Text | None:
    """Why the last latent is listed, where its slope ranks it further down."""
    rank = told.strongest_rank
    if told.strongest is None or rank is None or rank <= len(report.latents):
        return None
    return Text(
        f"{told.strongest} is listed for its knock-out, the strongest; by its slope it ranks "
        f"{rank} of {told.n_active:,}.",
        style=parts.OPEN,
    )


def _chosen(report: InspectReport) -> str:
    rows, columns = report.grid
    if len(report.patches) in (0, rows * columns):
        return f"the whole picture ({rows}×{columns} patches)"
    noun = "patch" if len(report.patches) == 1 else "patches"
    return f"{noun} {ranges(report.patches)} of the {rows}×{columns} grid"


def _exemplar_rows(
    title: str, found: list[Exemplar], most: int, largest: float | None
) -> RenderableType | None:
    if not found:
        return None
    table = parts.table(title)
    parts.add_words(table, "picture", least=20)
    parts.add_numbers(table, "patch", "activation")
    table.add_column("", no_wrap=True, min_width=10)
    strongest = largest or max(one.activation for one in found)
    for one in found[:most]:
        table.add_row(
            parts.path(one.image.path, 50),
            str(one.patch),
            figure(one.activation),
            parts.bar(one.activation, strongest),
        )
    if len(found) > most:
        table.add_row(Text(f"and {len(found) - most} more", style=parts.QUIET))
    return table


def show_table(report: ShowReport) -> RenderableType:
    """A latent: statistics, labels, exemplars, what matched it and what was tested."""
    head = parts.heading(report.ref, report.label).append("\n")
    if report.density is None:
        head.append("not profiled yet", style=parts.OPEN)
    else:
        head.append_text(
            parts.facts(
                f"active on {share(report.density)} of the patches",
                f"mean {figure(report.mean_activation)} where active",
                f"largest {figure(report.max_activation)}",
                profile_tables.alike(report),
                None if report.image_set is None else f"over {report.image_set}",
            )
        )
    return parts.stack(
        head,
        _histogram(report.histogram),
        history_table(report.labels) if report.labels else None,
        _exemplar_rows("Exemplars", report.exemplars, _MOST_EXEMPLARS, report.max_activation),
        _exemplar_rows("Across its activations", report.quantiles, 10, report.max_activation),
        _exemplar_rows("Random actives", report.random_actives, 4, report.max_activation),
        profile_tables.near_misses(report),
        profile_tables.classes(report),
        profile_tables.together(report),
        _matches(report),
        _experiments(report),
    )


def _histogram(found: dict[str, list[float]] | None) -> RenderableType | None:
    counts = [] if found is None else found.get("counts", [])
    edges = [] if found is None else found.get("edges", [])
    filled = [i for i, n in enumerate(counts) if n]
    if not filled or len(edges) != len(counts) + 1:
        return None
    first, last = filled[0], filled[-1] + 1
    line = Text(f"{figure(edges[first])} ", style=parts.QUIET)
    line.append_text(parts.histogram(counts[first:last]))
    line.append(f" {figure(edges[last])}  activation where active, log scale", style=parts.QUIET)
    return line


def _matches(report: ShowReport) -> RenderableType | None:
    if not report.matches:
        return None
    table = parts.table("Matches in other dictionaries")
    parts.add_refs(table, [match.ref for match in report.matches])
    parts.add_numbers(table, "r", "95 % interval", "p")
    table.add_column("counterpart", no_wrap=True)
    parts.add_words(table, "label")
    for match in report.matches:
        table.add_row(
            Text(match.ref),
            figure(match.score),
            interval(match.ci),
            p_value(match.p_value),
            _counterpart(match),
            parts.label(match.label),
        )
    return table


def _counterpart(match: MatchRow) -> Text:
    """Whether the comparison calls it the counterpart: a match is shown either way."""
    if match.counterpart:
        return Text("yes", style=parts.GOOD)
    words = "no" if match.reason is None else f"no: {match.reason.replace('_', ' ')}"
    return Text(words, style=parts.QUIET)


def _experiments(report: ShowReport) -> RenderableType | None:
    if not report.experiments:
        return None
    table = parts.table("Experiments")
    parts.add_numbers(table, "number", "hypothesis")
    table.add_column("stated")
    table.add_column("verdict")
    for row in report.experiments:
        table.add_row(
            str(row.number),
            str(row.hypothesis),
            parts.registration(row.registered, row.tested_before, short=True),
            parts.verdict(row.verdict),
        )
    return table


def dictionary_table(report: ShowDictionaryReport) -> RenderableType:
    """A dictionary: its identity, how its training went, and its latents in order."""
    row = report.dictionary
    head = parts.heading(row.name).append("\n")
    head.append_text(
        parts.facts(
            row.backbone + (" (untrained)" if row.untrained else ""),
            f"layer {row.layer}",
            f"{'×'.join(map(str, row.grid))} grid",
            f"{row.d_model} wide",
            plural(row.n_latents, "latent"),
            row.activation,
        )
    ).append("\n")
    head.append_text(
        parts.facts(
            f"explained variance {figure(row.explained_variance, 3)}",
            f"L0 {figure(row.l0, 1)}",
            f"dead {share(row.dead_fraction)}",
            f"{report.n_dead:,} silent in the profile",
        )
    )
    if report.command is not None:
        head.append("\n").append(f"made by: {report.command}", style=parts.QUIET)
    table = parts.table(f"Latents by {report.sort.replace('_', ' ')}")
    parts.add_refs(table, [latent.ref for latent in report.latents])
    parts.add_numbers(table, "density", "mean", "largest")
    parts.add_words(table, "label")
    for latent in report.latents:
        table.add_row(
            Text(latent.ref),
            share(latent.density),
            figure(latent.mean_activation),
            figure(latent.max_activation),
            parts.label(latent.label),
        )
    return parts.stack(head, _training(report.training), table if report.latents else None)


def _training(points: list[dict[str, float]], most: int = 8) -> RenderableType | None:
    if not points:
        return None
    step = max(1, -(-len(points) // most))
    shown = points[::-1][::step][::-1]  # the last point always
    table = parts.table("Training")
    parts.add_numbers(table, "patches", "expl. var.", "L0", "dead")
    for point in shown:
        table.add_row(
            count(point.get("patches", point.get("patches_seen", float("nan")))),
            figure(point.get("explained_variance"), 3),
            figure(point.get("l0"), 1),
            share(point.get("dead_fraction")),
        )
    return table
