"""A report that one can send: latents and experiments on one page in one file."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from saecli import __version__
from saecli.catalog.dictionaries import DictionaryInfo, get_latents
from saecli.catalog.dossier import (
    ComparisonEntry,
    LabelEntry,
    Made,
    catalog_id,
    comparison_entries,
    dictionary_made,
    experiments_on,
    label_entries,
    profile_made,
)
from saecli.catalog.latents import histogram, summaries
from saecli.catalog.opening import Catalog
from saecli.catalog.profiles import ProfileInfo, current_profile
from saecli.catalog.schema import SCHEMA
from saecli.catalog.tables import now
from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.records.finding import WrittenReport
from saecli.refs import Concept, parse_concept, parse_record
from saecli.render.numbers import figure, plural, share
from saecli.render.report.content import (
    ExperimentPart,
    Fact,
    LabelLine,
    LatentPart,
    MatchesPart,
    MatchLine,
    Page,
    Source,
    Tile,
)
from saecli.render.report.page import render_page
from saecli.workflows.report_experiments import experiment_part
from saecli.workflows.report_tiles import latent_tiles

KINDS = {"top": "Strongest", "quantile": "From weak to strong", "random": "Random actives"}
KINDS |= {"near_miss": "Near misses: alike, and it does not fire"}
MATCHES, PAIRED = 3, 4  # matches shown of each dictionary, pictures of each
REASONS = {
    "too_few_active": "it fires on too few pictures to say",
    "not_significant": "the best match is no better than chance would give",
    "too_weak": "the best match is too weak",
}


def write_report(
    catalog: Catalog, subjects: Sequence[str], out: Path, *, top: int, command: str
) -> WrittenReport:
    """Write a page on latents and experiments.

    Args:
        catalog: that is read.
        subjects: `clip:12`, `clip:12+40` (each of them) or `experiment:3`; latents come first.
        out: the file, ending in .html.
        top: how many exemplars of each kind.
        command: as typed, for the page's head.

    Raises:
        SaecliError: if a subject is none, isn't in the catalog, or the file can't be written.
    """
    check_page_name(out)
    concepts, experiments = _sorted(subjects)
    with catalog.reading() as session:
        latents, told = [], set(experiments)
        for concept in concepts:
            for index in concept.latents:
                one = Concept(concept.dictionary, (index,))
                latents.append(latent_part(session, one, top=top, elsewhere=told))
                told |= {part.number for part in latents[-1].experiments}
        tested = [experiment_part(session, number, whole=True) for number in experiments]
        page = Page(
            title=_title(latents, tested),
            written=now(),
            command=command,
            catalog=[
                Fact("catalog", catalog_id(session), code=True),
                Fact("schema", str(SCHEMA)),
                Fact("saecli", __version__),
            ],
            latents=latents,
            experiments=tested,
        )
        identity = catalog_id(session)
    text = render_page(page).encode()
    with write_whole(out) as file:
        file.write(text)
    return WrittenReport(
        out=str(out),
        latents=[one.ref for one in latents],
        experiments=[one.number for one in tested],
        size=len(text),
        catalog_id=identity,
        schema=SCHEMA,
    )


def check_page_name(out: Path) -> None:
    """Return if a page can be written under a name: before any work is done.

    Raises:
        SaecliError: if it doesn't end in .html, or its folder doesn't exist.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise SaecliError(f"'{out}' doesn't end in .html", "end it so", usage=True)
    if not out.parent.is_dir():
        raise SaecliError(
            f"there is no folder '{out.parent}'", "make it, or write to another one", usage=True
        )


def latent_part(
    session: Session, concept: Concept, *, top: int, elsewhere: Collection[int] = ()
) -> LatentPart:
    """What a report says of a latent.

    Args:
        session: of the catalog.
        concept: one latent.
        top: how many exemplars of each kind.
        elsewhere: experiments that the page tells of in another place.

    Raises:
        SaecliError: if there is no such latent.
    """
    dictionary, _ = get_latents(session, concept)
    index = concept.latents[0]
    summary = summaries(session, dictionary, [index])[index]
    profile = current_profile(session, dictionary)
    tested = experiments_on(session, concept)
    return LatentPart(
        ref=summary.ref,
        label=summary.label,
        figures=[
            Fact("active on", f"{share(summary.density)} of the patches"),
            Fact("mean where active", figure(summary.mean_activation)),
            Fact("largest", figure(summary.max_activation)),
            Fact("over", "no profile yet" if profile is None else _pictures(profile)),
        ],
        largest=summary.max_activation,
        image_set=None if profile is None else profile.image_set.name,
        histogram=histogram(session, dictionary, index),
        tiles={
            heading: latent_tiles(session, dictionary, index, kind=kind, top=top)
            for kind, heading in KINDS.items()
        },
        labels=[_label(entry) for entry in label_entries(session, concept)],
        matches=[_matches(session, entry) for entry in comparison_entries(session, concept)],
        experiments=[
            experiment_part(session, number, whole=False)
            for number in tested
            if number not in elsewhere
        ],
        elsewhere=[number for number in tested if number in elsewhere],
        provenance=_provenance(dictionary, profile),
        sources=[_source("trained by", dictionary_made(session, dictionary))],
        profiled=(
            None if profile is None else _source("profiled by", profile_made(session, profile))
        ),
    )


def _sorted(subjects: Sequence[str]) -> tuple[list[Concept], list[int]]:
    """Each subject once, in the order given: latents and experiments."""
    concepts: list[Concept] = []
    experiments: list[int] = []
    for subject in dict.fromkeys(subjects):
        if subject.startswith("experiment:"):
            experiments.append(parse_record(subject, "experiment"))
        elif subject.startswith("hypothesis:"):
            raise SaecliError(
                f"'{subject}' is no subject of a report",
                "name its experiment (saecli show " + subject + " lists them)",
                usage=True,
            )
        else:
            concepts.append(parse_concept(subject))
    return concepts, experiments


def _title(latents: Sequence[LatentPart], experiments: Sequence[ExperimentPart]) -> str:
    names = [f"{one.ref} {one.label}" if one.label else one.ref for one in latents]
    names += [f"experiment {one.number}" for one in experiments]
    rest = len(names) - 3
    return ", ".join(names[:3]) + (f" and {rest} more" if rest > 0 else "")


def _source(what: str, made: Made) -> Source:
    return Source(what, made.command, made.started, made.seed)


def _pictures(profile: ProfileInfo) -> str:
    return f"{profile.image_set.name}: {plural(profile.n_images, 'picture')}"


def _label(entry: LabelEntry) -> LabelLine:
    details = [entry.note] if entry.note else []
    details += [f"rests on {_evidence(entry.evidence)}"] if entry.evidence else []
    for end in entry.ends:
        by = f" (experiment {end.experiment})" if end.experiment else ""
        details.append(f"{end.status} by {end.author}{by}" + (f": {end.note}" if end.note else ""))
    return LabelLine(
        text=entry.text,
        author=f"{entry.author}, an automatic labeller" if entry.automatic else entry.author,
        created=entry.created,
        status=entry.status,
        confidence=entry.confidence,
        details=details,
        source=_source(f"label {entry.number}", entry.made),
    )


def _evidence(evidence: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in evidence.items())


def _matches(session: Session, entry: ComparisonEntry) -> MatchesPart:
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
        source=_source("compared by", entry.made),
    )


def _other(session: Session, concept: Concept) -> tuple[str | None, float | None, list[Tile]]:
    """Label, largest activation and pictures of a match."""
    dictionary, _ = get_latents(session, concept)
    index = concept.latents[0]
    summary = summaries(session, dictionary, [index])[index]
    tiles = latent_tiles(session, dictionary, index, kind="top", top=PAIRED)
    return summary.label, summary.max_activation, tiles


def _provenance(dictionary: DictionaryInfo, profile: ProfileInfo | None) -> list[Fact]:
    backbone = dictionary.backbone
    found = [
        Fact("dictionary", f"{dictionary.name}: {dictionary.n_latents:,} latents"),
        Fact("its checkpoint", dictionary.sha256, code=True),
        Fact("activation", dictionary.activation),
        Fact("backbone", backbone.name + (" (untrained)" if backbone.untrained else "")),
        Fact("its digest", backbone.digest, code=True),
        Fact("layer", f"{dictionary.layer} (counted from 0)"),
        Fact("grid", f"{dictionary.grid.rows}×{dictionary.grid.columns}"),
        Fact("explained variance", figure(dictionary.explained_variance, 3)),
        Fact("L0", figure(dictionary.l0, 1)),
        Fact("trained on", dictionary.image_set or "–"),
    ]
    if profile is not None:
        found.append(Fact("profiled on", _pictures(profile)))
        found.append(Fact("digest of these pictures", profile.image_set.digest, code=True))
    return found
