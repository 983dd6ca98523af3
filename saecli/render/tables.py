"""Tables of what was made and of what is in the catalog."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records import (
    CatalogList,
    DemoReport,
    DictionaryRow,
    EndedLabelReport,
    ExportReport,
    LabelReport,
    ProbeReport,
    ProfileReport,
    ProfilesReport,
    TrainReport,
)
from saecli.render import parts
from saecli.render.numbers import count, duration, figure, plural, rate, share


def train_table(report: TrainReport) -> RenderableType:
    """The trained dictionaries with their held-out figures."""
    rows = report.dictionaries
    table = parts.table()
    parts.add_refs(table, [row.name for row in rows], "dictionary")
    parts.add_numbers(table, "latents", "expl. var.", "L0", "dead", "patches", "time", "speed")
    for row in rows:
        table.add_row(
            Text(row.name),
            f"{row.n_latents:,}",
            figure(row.explained_variance, 3),
            figure(row.l0, 1),
            share(row.dead_fraction),
            count(row.patches_seen),
            duration(row.seconds),
            rate(row.patches_per_second),
        )
    probes = parts.facts("probes: " + ", ".join(report.probes)) if report.probes else None
    kept = parts.facts(Text("catalog: ").append_text(parts.path(report.catalog, 60)))
    lost = Text("\n".join(report.diverged), style=parts.BAD) if report.diverged else None
    return parts.stack(table, parts.lines(lost, probes, parts.skipped(report.skipped), kept))


def profile_table(report: ProfileReport) -> RenderableType:
    """What one pass over an image set saw."""
    dead = report.n_latents - report.n_alive
    line = parts.heading(report.dictionary).append(" profiled over ").append(report.image_set)
    numbers = parts.facts(
        plural(report.n_images, "image"),
        plural(report.n_patches, "patch"),
        f"{report.n_alive:,} of {plural(report.n_latents, 'latent')} active",
        f"{dead:,} silent" if dead else None,
        duration(report.seconds),
    )
    return parts.stack(line.append("\n").append_text(numbers), parts.skipped(report.skipped))


def profiles_table(report: ProfilesReport) -> RenderableType:
    """What one pass saw of several dictionaries."""
    return parts.stack(*(profile_table(one) for one in report.profiles))


def probe_table(report: ProbeReport) -> RenderableType:
    """A probe and its held-out scores."""
    scores = parts.facts(
        f"accuracy {share(report.accuracy)}" if report.n_test else None,
        None if report.mean_iou is None else f"mean IoU {figure(report.mean_iou, 3)}",
        f"{report.n_train:,} to train, {report.n_test:,} to test"
        if report.n_test
        else "not scored",
    )
    head = parts.heading(report.name).append(f"  {report.task.replace('_', '-')} probe")
    classes = Text.assemble((f"{plural(len(report.classes), 'class')}: ", parts.QUIET))
    return parts.stack(
        parts.lines(head.append("\n").append_text(scores), _kept_head(report)),
        classes.append(", ".join(report.classes)),
    )


def _kept_head(report: ProbeReport) -> Text | None:
    """With what the head was trained that validation chose."""
    if report.weight_decay is None:
        return None
    rate = report.learning_rate
    words = [] if rate is None else [f"AdamW, learning rate {rate:g}"]
    words.append(f"weight decay {report.weight_decay:g}")
    words.append(f"chosen from {plural(len(report.grid), 'head')}")
    return Text(", ".join(words), style=parts.QUIET)


def _dictionary_rows(rows: list[DictionaryRow]) -> RenderableType:
    table = parts.table("Dictionaries")
    parts.add_refs(table, [row.name for row in rows], "name")
    parts.add_words(table, "backbone", least=16)
    parts.add_numbers(table, "layer", "grid", "latents", "expl. var.", "L0")
    for row in rows:
        name = Text(row.name)
        if row.default:
            name.append(" *", style=parts.OPEN)
        table.add_row(
            name,
            parts.path(row.backbone + (" (untrained)" if row.untrained else "")),
            str(row.layer),
            "×".join(map(str, row.grid)),
            f"{row.n_latents:,}",
            figure(row.explained_variance, 3),
            figure(row.l0, 1),
        )
    if any(row.default for row in rows):
        table.caption = Text("* the default", style=parts.QUIET)
        table.caption_justify = "left"
    return table


def list_table(found: CatalogList) -> RenderableType:
    """Everything that has a name in the catalog."""
    sections: list[RenderableType] = []
    if found.dictionaries:
        sections.append(_dictionary_rows(found.dictionaries))
    if found.backbones:
        table = parts.table("Backbones")
        parts.add_words(table, "name")
        table.add_column("family")
        parts.add_words(table, "source", least=12)
        for backbone in found.backbones:
            table.add_row(
                parts.path(backbone.name), backbone.family, parts.path(backbone.source, 60)
            )
        sections.append(table)
    if found.image_sets:
        table = parts.table("Image sets")
        parts.add_words(table, "name")
        parts.add_numbers(table, "images", "skipped")
        for images in found.image_sets:
            table.add_row(
                parts.path(images.name, 60), f"{images.n_images:,}", f"{images.n_skipped:,}"
            )
        sections.append(table)
    if found.probes:
        table = parts.table("Probes")
        parts.add_refs(table, [probe.name for probe in found.probes], "name")
        parts.add_words(table, "backbone", least=12)
        table.add_column("task", no_wrap=True)
        parts.add_numbers(table, "classes", "accuracy", "mean IoU")
        for probe in found.probes:
            table.add_row(
                Text(probe.name),
                parts.path(probe.backbone),
                probe.task.replace("_", "-"),
                str(len(probe.classes)),
                share(probe.accuracy),
                figure(probe.mean_iou, 3),
            )
        sections.append(table)
    if found.experiments:
        table = parts.table("Experiments")
        parts.add_numbers(table, "number", "hypothesis")
        table.add_column("stated")
        table.add_column("verdict")
        for experiment in found.experiments:
            table.add_row(
                str(experiment.number),
                str(experiment.hypothesis),
                parts.registration(experiment.registered, experiment.tested_before, short=True),
                parts.verdict(experiment.verdict),
            )
        sections.append(table)
    if not sections:
        return Text("The catalog is empty; `saecli train` fills it.")
    return parts.stack(*sections)


def label_table(report: LabelReport | EndedLabelReport) -> RenderableType:
    """The label that was given, retired, or refuted by an experiment."""
    head = parts.heading(report.ref, report.label)
    if isinstance(report, LabelReport):
        return head.append(f"  label {report.number}", parts.QUIET)
    ended = f"  {report.status}"
    if report.experiment is not None:
        ended += f" by experiment {report.experiment} ({report.verdict})"
    return head.append(ended, parts.BAD)


def export_table(report: ExportReport) -> RenderableType:
    """What was written where."""
    return parts.facts(
        Text.assemble((report.dictionary, parts.REF))
        .append(f" as {report.format}")
        .append(f" in {report.out}", style=""),
        plural(len(report.files), "file") if report.files else None,
        f"SHA-256 {report.sha256[:16]}…",
    )


def demo_table(report: DemoReport) -> RenderableType:
    """What was drawn where."""
    twins = ", ".join(f"{name} {value}" for name, value in report.counterfactual.items())
    return parts.facts(
        Text(f"{plural(report.n, 'picture')} in ").append(report.out, style=parts.HEADING),
        f"seed {report.seed}",
        f"each with {twins}" if twins else None,
    )
