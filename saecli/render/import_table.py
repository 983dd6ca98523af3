"""What was imported, how its function was proved, and what it explains."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records.importing import ImportReport, SelfTestReport
from saecli.render import parts
from saecli.render.numbers import figure, plural, share


def import_table(report: ImportReport) -> RenderableType:
    """The dictionary with its origin, the proof, the self-test and what looks wrong."""
    kind = report.activation if report.k is None else f"{report.activation} k {report.k}"
    least, most = report.decoder_norms
    head = parts.heading(report.dictionary).append(f" imported from {report.format}")
    facts = parts.facts(
        f"{report.n_latents:,} latents of {report.d_model} dimensions",
        kind,
        Text(report.backbone).append(f", layer {report.layer}"),
    )
    scaled = None
    if abs(least - 1) > 1e-4 or abs(most - 1) > 1e-4:
        scaled = Text(
            "activations are the file's times each decoder row's length, "
            f"{figure(least, 3)} to {figure(most, 3)}"
        )
    proof = report.proof
    proved = None
    if proof is not None:
        proved = parts.facts(
            "same function as the file's",
            f"largest difference {max(proof.latents, proof.reconstruction):.1e} "
            f"over {plural(proof.n_patches, 'random patch')}",
        )
    notes = [Text(note) for note in report.notes]
    told = [Text(warning, style=parts.BAD) for warning in report.warnings]
    return parts.stack(
        head.append("\n").append_text(facts),
        parts.lines(scaled, proved, _tested(report.self_test), *notes, *told),
        parts.facts(Text("catalog: ").append_text(parts.path(report.catalog, 60))),
    )


def _tested(found: SelfTestReport | None) -> Text | None:
    if found is None:
        return None
    return parts.facts(
        f"explained variance {figure(found.explained_variance, 3)}",
        f"L0 {figure(found.l0, 1)}",
        f"{share(found.dead_fraction)} silent",
        f"over {plural(found.n_images, 'picture')} of {found.images}",
    )
