"""Tables of activation stores and of what was found damaged."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records.storing import DoctorReport, RecordReport
from saecli.render import parts
from saecli.render.numbers import count, duration, plural, rate


def record_table(report: RecordReport) -> RenderableType:
    """What a store holds."""
    head = parts.heading(report.backbone).append(" recorded over ").append(report.image_set)
    numbers = parts.facts(
        plural(report.n_images, "image"),
        plural(report.n_patches, "patch"),
        f"{'layer' if len(report.layers) == 1 else 'layers'} " + ", ".join(map(str, report.layers)),
        f"{report.d_model} wide, {report.dtype}",
    )
    kept = parts.facts(
        Text("store: ").append_text(parts.path(report.out, 60)),
        plural(report.n_shards, "shard"),
        f"{count(report.size)}B",
        duration(report.seconds),
        rate(report.images_per_second),
    )
    return parts.stack(parts.lines(head, numbers, kept), parts.skipped(report.skipped))


def doctor_table(report: DoctorReport) -> RenderableType:
    """Each folder that was looked at, what is wrong with it, and the versions."""
    sections: list[RenderableType] = []
    for one in report.checked:
        state = Text("whole", style=parts.GOOD) if one.ok else Text("damaged", style=parts.BAD)
        head = parts.facts(
            parts.path(one.path, 60),
            one.kind,
            plural(one.n_files, "file"),
            f"{count(one.size)}B",
            state,
        )
        lines = [Text(f"  {problem}", style=parts.BAD) for problem in one.problems]
        lines += [Text(f"  {note}", style=parts.QUIET) for note in one.notes]
        sections.append(parts.lines(head, *lines))
    found = parts.facts(*(f"{name} {version}" for name, version in report.versions.items()))
    return parts.stack(*sections, found)
