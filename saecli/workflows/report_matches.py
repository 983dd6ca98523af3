"""A comparison's part of a report: the answer, and what the best matches fire on."""

from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import get_latents
from saecli.catalog.dossier import ComparisonEntry
from saecli.catalog.latents import summaries
from saecli.refs import Concept
from saecli.render.numbers import figure
from saecli.render.report.content import MatchesPart, MatchLine, Tile
from saecli.workflows.report_experiments import source_of
from saecli.workflows.report_tiles import latent_tiles

MATCHES, PAIRED = 3, 4  # matches shown of each dictionary, pictures of each
REASONS = {
    "too_few_active": "it fires on too few pictures to say",
    "not_significant": "the best match is no better than chance would give",
    "too_weak": "the best match is too weak",
}


def matches_part(session: Session, entry: ComparisonEntry) -> MatchesPart:
    """A comparison's answer, with the first matches and their pictures."""
    if entry.counterpart is not None:
        answer = f"Counterpart in {entry.target}: {entry.counterpart}."
    else:
        why = REASONS.get(entry.reason or "", "nothing there to compare with")
        answer = f"No counterpart in {entry.target}: {why}."
    untrained = None
    if entry.untrained_score is not None:
        beyond = {True: "which it is beyond", False: "which it is not beyond"}
        said = beyond.get(bool(entry.beyond_untrained))
        untrained = f"Best r of the untrained twin: {figure(entry.untrained_score)}, {said}."
    return MatchesPart(
        target=entry.target,
        answer=answer,
        method=entry.method.replace("_", " "),
        n_images=entry.n_images,
        n_active=entry.n_active,
        untrained=untrained,
        matches=[
            MatchLine(
                ref=str(match.concept),
                label=label,
                score=match.score,
                ci=None if match.ci is None else list(match.ci),
                p_value=match.p_value,
                counterpart=str(match.concept) == entry.counterpart,
                largest=largest,
                tiles=tiles,
            )
            for match in entry.matches[:MATCHES]
            for label, largest, tiles in [_other(session, match.concept)]
        ],
        source=source_of("compared by", entry.made),
    )


def _other(session: Session, concept: Concept) -> tuple[str | None, float | None, list[Tile]]:
    """Label, largest activation and pictures of a match."""
    dictionary, _ = get_latents(session, concept)
    index = concept.latents[0]
    summary = summaries(session, dictionary, [index])[index]
    tiles = latent_tiles(session, dictionary, index, kind="top", top=PAIRED)
    return summary.label, summary.max_activation, tiles
