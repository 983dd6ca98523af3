"""Tables of what speaks for a hypothesis: matches, detectors, attributions."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records import (
    AttributeReport,
    CompareReport,
    DetectReport,
    DictionaryComparison,
    SetReport,
)
from saecli.render import parts
from saecli.render.numbers import figure, interval, p_value, plural, share

_REASONS = {
    "too_few_active": "the source fires on too few images",
    "not_significant": "the best match is no better than chance",
    "too_weak": "the best match is too weak",
}


def compare_table(report: CompareReport) -> RenderableType:
    """The best matches in the other dictionary, and whether one is a counterpart."""
    head = parts.heading(report.source["ref"] or "", report.source["label"])
    head.append(" in ").append(report.target, style=parts.REF).append("\n")
    head.append_text(
        parts.facts(
            f"{report.method.replace('_', ' ')} over {plural(report.n_images, 'image')}",
            f"the source fires on {report.n_active:,}",
        )
    )
    table = parts.table()
    parts.add_refs(table, [match.ref for match in report.matches])
    parts.add_numbers(table, "r")
    table.add_column("", no_wrap=True, min_width=10)
    parts.add_numbers(table, "95 % interval", "p", "1/rank back")
    parts.add_words(table, "label")
    parts.add_exemplars(table)
    for match in report.matches:
        table.add_row(
            Text(match.ref),
            figure(match.score),
            parts.bar(match.score, 1.0),
            interval(match.ci),
            p_value(match.p_value),
            figure(match.reciprocal_rank),
            parts.label(match.label),
            parts.exemplars(match.exemplars, 2),
        )
    return parts.stack(head, table, parts.lines(_counterpart(report), _set(report.set_)))


def _set(found: SetReport | None) -> Text | None:
    """What several latents together reach, on the pictures that didn't choose them."""
    if found is None:
        return None
    line = Text("Together: ").append(found.ref, style=parts.REF)
    line.append(
        f", r {figure(found.score)} {interval(found.ci)} on {plural(found.n_images, 'image')} that "
        "didn't choose them"
    )
    if found.gain_ci is None:
        return line.append("; none added to the first.")
    beyond = found.gain_ci[0] > 0
    line.append(f"; the first alone {figure(found.single_score)}, which they ")
    style = parts.GOOD if beyond else parts.OPEN
    line.append("exceed" if beyond else "do not clearly exceed", style=style)
    return line.append(f" (lead {interval(found.gain_ci)}).")


def dictionaries_table(report: DictionaryComparison) -> RenderableType:
    """How many of each dictionary's latents the other one has too, and the clearest of them."""
    head = parts.heading(f"{report.source} and {report.target}").append("\n")
    head.append_text(
        parts.facts(
            f"{report.method.replace('_', ' ')} over {plural(report.n_images, 'image')}",
            report.image_set,
        )
    )
    shares = parts.table()
    parts.add_words(shares, "latents of")
    parts.add_words(shares, "looked for in")
    parts.add_numbers(shares, "comparable", "with a counterpart", "share", "beyond untrained")
    for way in (report.forward, report.backward):
        beyond = way.n_beyond_untrained
        shares.add_row(
            Text(way.source),
            Text(way.target),
            f"{way.n_comparable:,}",
            f"{way.n_found:,}",
            share(way.share),
            "–"
            if beyond is None
            else f"{beyond:,} ({way.untrained})"
            if way.untrained
            else f"{beyond:,}",
        )
    found = [row for row in report.forward.latents if row.counterpart]
    found.sort(key=lambda row: -row.score)
    best = parts.table("Clearest counterparts") if found else None
    if best is not None:
        parts.add_refs(best, [row.ref for row in found[:10]])
        parts.add_refs(best, [row.match for row in found[:10]], "counterpart")
        parts.add_numbers(best, "r")
        parts.add_words(best, "label")
        for row in found[:10]:
            best.add_row(Text(row.ref), Text(row.match), figure(row.score), parts.label(row.label))
    return parts.stack(head, shares, best)


def _counterpart(report: CompareReport) -> Text:
    if report.counterpart is not None:
        line = Text.assemble(("Counterpart: ", parts.GOOD)).append(
            report.counterpart, style=parts.REF
        )
    else:
        reason = _REASONS.get(report.reason or "", report.reason or "")
        line = Text.assemble(("No counterpart", parts.OPEN)).append(f": {reason}" if reason else "")
    if report.margin is not None:
        line.append(f", {figure(report.margin)} ahead of the second match")
    line.append(".")
    return line.append_text(_beside_untrained(report))


def _beside_untrained(report: CompareReport | DetectReport) -> Text:
    score, beyond = report.untrained_score, report.beyond_untrained
    if score is None:
        return Text()
    which = "" if report.untrained_ref is None else f", {report.untrained_ref}"
    line = Text(f" Best of the untrained twin{which}: {figure(score)}")
    if beyond is not None:
        line.append(", which this ").append(
            "exceeds." if beyond else "does not exceed.", style=parts.GOOD if beyond else parts.OPEN
        )
    return line


def detect_table(report: DetectReport) -> RenderableType:
    """The latents that detect a class best."""
    head = parts.facts(
        Text.assemble((report.dictionary, parts.REF), f" against {report.class_}"),
        plural(report.n_images, "image"),
        f"{report.n_positive:,} with it, {report.n_negative:,} without",
    )
    table = parts.table()
    parts.add_refs(table, [latent.ref for latent in report.latents])
    parts.add_numbers(table, "F1")
    table.add_column("", no_wrap=True, min_width=10)
    parts.add_numbers(table, "precision", "recall", "AUROC", "threshold")
    parts.add_words(table, "label")
    for latent in report.latents:
        table.add_row(
            Text(latent.ref),
            figure(latent.f1),
            parts.bar(latent.f1, 1.0),
            figure(latent.precision),
            figure(latent.recall),
            figure(latent.auroc),
            figure(latent.threshold),
            parts.label(latent.label),
        )
    twin = _beside_untrained(report)
    return parts.stack(head, table, Text(twin.plain.strip()) if twin else None)


def attribute_table(report: AttributeReport) -> RenderableType:
    """The latents that speak most for a class, by their attribution to its margin."""
    against = f" over {report.against}" if report.against else ""
    head = parts.facts(
        Text.assemble((report.class_, parts.HEADING), against),
        f"mean over {plural(report.n_images, 'image')}",
    )
    twins = any(latent.twin_loss is not None for latent in report.latents)
    table = parts.table()
    parts.add_refs(table, [latent.ref for latent in report.latents])
    parts.add_numbers(table, "attribution, nats")
    table.add_column("", no_wrap=True, min_width=10)
    parts.add_numbers(table, *(["lost in the twin"] if twins else []), "density")
    parts.add_words(table, "label")
    most = max((abs(latent.attribution) for latent in report.latents), default=0.0)
    for latent in report.latents:
        style = "cyan" if latent.attribution >= 0 else "magenta"
        table.add_row(
            Text(latent.ref),
            figure(latent.attribution, 3),
            parts.bar(abs(latent.attribution), most, style=style),
            *([share(latent.twin_loss)] if twins else []),
            share(latent.density),
            parts.label(latent.label),
        )
    return parts.stack(head, table)
