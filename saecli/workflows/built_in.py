"""`saecli train` without arguments: both dictionaries of the built-in world, and their probes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.probes import find_probe
from saecli.progress import Progress
from saecli.records import TrainedDictionary, TrainReport
from saecli.workflows.mirrors import NOWHERE, Mirrored
from saecli.workflows.models import backbone_row
from saecli.workflows.pictures import open_pictures, with_labels
from saecli.workflows.together import ALONE, Team
from saecli.workflows.train import (
    Computing,
    Job,
    kept_dictionary,
    open_backbone,
    train_dictionary,
)
from saecli.workflows.variants import Variant

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone
    from saecli.images.sources import ImageFile, ImageSource
    from saecli.workflows.probes import Scored

IMAGES = "fieldguide:train"
BACKBONES = {"clip": "fieldguide-clip", "dinov2": "fieldguide-dinov2"}  # by dictionary
LAYER = -2  # Stevens et al. 2025, section 4: the last block but one
GROUND_PICTURES = 1_200  # 300,000 patches of 16×16 grids: more adds nothing to the score
FEWEST_PICTURES = 4  # of each species, for a probe to be trained and tested on


def train_built_in(
    catalog: Catalog,
    invocation: Invocation,
    variants: tuple[Variant, ...],
    computing: Computing,
    progress: Progress,
    *,
    layer: int = LAYER,
    n_images: int | None = None,
    untrained: bool = False,
    profile: bool = True,
    mirrored: Mirrored = NOWHERE,
    resume: bool = False,
    team: Team = ALONE,
) -> TrainReport:
    """Train what is missing of the built-in dictionaries, profiles and probes; keep what is there.

    With ``untrained`` the dictionaries are `clip-untrained` and `dinov2-untrained`, without probes.
    """
    trained: list[TrainedDictionary] = []
    probes: list[str] = []
    skipped: list[str] = []
    diverged: list[str] = []
    for short, backbone_name in BACKBONES.items():
        job = Job(
            name=f"{short}-untrained" if untrained else short,
            backbone=backbone_name,
            images=IMAGES,
            layer=layer,
            variants=variants,
            n_images=n_images,
            untrained=untrained,
            profile=profile,
            mirrored=mirrored,
        )
        kept = [kept_dictionary(catalog, name) for name in job.dictionaries()]
        missing = [one for one, there in zip(variants, kept, strict=True) if there is None]
        wanted = [] if untrained else _missing_probes(catalog, short)
        for there in kept:
            if there is not None:
                progress.say(f"{there.name} is in {catalog.name} already and is kept")
                trained.append(there)
        if not missing and not wanted:
            continue
        backbone = open_backbone(job, computing, progress)
        if missing:
            job = replace(job, variants=tuple(missing))
            report = train_dictionary(
                catalog,
                invocation,
                job,
                computing,
                progress,
                resume=resume,
                backbone=backbone,
                team=team,
            )
            trained += report.dictionaries
            skipped += report.skipped
            diverged += report.diverged
        if wanted:
            source = open_pictures(IMAGES, progress, n_images=n_images)
            probes += _train_probes(catalog, invocation, backbone, source, wanted, progress)
    return TrainReport(
        dictionaries=trained,
        probes=probes,
        skipped=skipped,
        catalog=str(catalog.path),
        diverged=diverged,
    )


def _missing_probes(catalog: Catalog, short: str) -> list[str]:
    names = {
        "clip": ["clip-species", "clip-zeroshot"],
        "dinov2": ["dinov2-species", "dinov2-ground"],
    }[short]
    with catalog.reading() as session:
        return [name for name in names if find_probe(session, name) is None]


def _train_probes(
    catalog: Catalog,
    invocation: Invocation,
    backbone: "Backbone",
    source: "ImageSource",
    wanted: Sequence[str],
    progress: Progress,
) -> list[str]:
    from saecli.demo.world import GROUNDS, SPECIES
    from saecli.experiments.probe_training import ProbeSettings
    from saecli.experiments.zero_shot import TEMPLATES
    from saecli.workflows.features import final_features
    from saecli.workflows.probes import (
        default_reads,
        keep_probe,
        score_zero_shot,
        train_classifier,
        train_segmenter,
    )

    settings = ProbeSettings()
    details = asdict(settings) | {"images": source.spec}
    row = backbone_row(catalog, invocation, backbone)
    done = []

    def keep(name: str, scored: "Scored") -> None:
        keep_probe(catalog, invocation, name, row, scored, details, replace=True)
        done.append(name)

    birds = _enough(with_labels(source.files, SPECIES))
    if birds and any(name.endswith(("species", "zeroshot")) for name in wanted):
        reads = default_reads(backbone)
        kinds = [reads, "embedding"] if backbone.family == "clip" else [reads]
        features = final_features(backbone, birds, kinds, progress)
        for name in wanted:
            if name.endswith("species"):
                keep(name, train_classifier(backbone, birds, features, reads, settings))
            elif name.endswith("zeroshot"):
                classes = list(SPECIES)
                keep(name, score_zero_shot(backbone, classes, TEMPLATES, birds, features))
    if "dinov2-ground" in wanted:
        step = max(1, len(source.files) // GROUND_PICTURES)
        files = source.files[::step]
        features = final_features(backbone, files, ["patches"], progress)
        masks = source.root / "masks"
        keep(
            "dinov2-ground",
            train_segmenter(backbone, files, masks, features, settings, classes=GROUNDS),
        )
    return done


def _enough(files: "Sequence[ImageFile]") -> "list[ImageFile]":
    """The pictures of classes that have enough of them, if there are two such classes."""
    counts = Counter(file.label for file in files)
    kept = [file for file in files if counts[file.label] >= FEWEST_PICTURES]
    return kept if len({file.label for file in kept}) >= 2 else []
