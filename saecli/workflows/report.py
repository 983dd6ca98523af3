"""A report that one can send: latents and experiments on one page in one file."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from saecli import __version__
from saecli.catalog.dictionaries import DictionaryInfo, get_latents
from saecli.catalog.dossier import (
    LabelEntry,
    catalog_id,
    comparison_entries,
    dictionary_made,
    experiments_on,
    label_entries,
    profile_made,
)
from saecli.catalog.figures import LatentFigures, latent_figures
from saecli.catalog.latents import summaries
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
    Page,
)
from saecli.render.report.page import render_page
from saecli.workflows.report_experiments import experiment_part, source_of
from saecli.workflows.report_matches import matches_part
from saecli.workflows.report_tiles import latent_tiles

KINDS = {"top": "Strongest", "quantile": "From weak to strong", "random": "Random actives"}
KINDS |= {"near_miss": "Near misses: alike, and it does not fire"}
MOST_CLASSES = 8  # of those that a latent fires more on


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
    told = latent_figures(session, dictionary, index)
    return LatentPart(
        ref=summary.ref,
        label=summary.label,
        figures=[
            Fact("active on", f"{share(summary.density)} of the patches"),
            Fact("mean where active", figure(summary.mean_activation)),
            Fact("largest", figure(summary.max_activation)),
            *_further(told),
            Fact("over", "no profile yet" if profile is None else _pictures(profile)),
        ],
        largest=summary.max_activation,
        image_set=None if profile is None else profile.image_set.name,
        histogram=None if told is None else {"edges": told.edges, "counts": [*told.counts]},
        enriched=[] if told is None else (told.enriched or [])[:MOST_CLASSES],
        tiles={
            heading: latent_tiles(session, dictionary, index, kind=kind, top=top)
            for kind, heading in KINDS.items()
        },
        labels=[_label(entry) for entry in label_entries(session, concept)],
        matches=[matches_part(session, entry) for entry in comparison_entries(session, concept)],
        experiments=[
            experiment_part(session, number, whole=False)
            for number in tested
            if number not in elsewhere
        ],
        elsewhere=[number for number in tested if number in elsewhere],
        provenance=_provenance(dictionary, profile),
        sources=[source_of("trained by", dictionary_made(session, dictionary))],
        profiled=(
            None if profile is None else source_of("profiled by", profile_made(session, profile))
        ),
    )


def _further(told: LatentFigures | None) -> list[Fact]:
    """What only newer profiles say."""
    if told is None or told.monosemanticity is None:
        return []
    return [Fact("monosemanticity", figure(told.monosemanticity))]


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
        source=source_of(f"label {entry.number}", entry.made),
    )


def _evidence(evidence: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in evidence.items())


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
