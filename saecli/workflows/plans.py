"""The plan of an experiment, and everything that it needs, loaded and checked."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saecli.catalog.dictionaries import DictionaryInfo, get_latents
from saecli.catalog.images import add_image
from saecli.catalog.invocations import Invocation
from saecli.catalog.observations import selecting_images
from saecli.catalog.opening import Catalog
from saecli.catalog.probes import ProbeInfo, get_probe, read_probe
from saecli.catalog.profiles import ProfileInfo, get_profile
from saecli.errors import SaecliError
from saecli.images.sources import ImageFile
from saecli.progress import Progress
from saecli.records import as_json
from saecli.refs import Concept
from saecli.workflows.models import backbone_of, load_dictionary
from saecli.workflows.pictures import open_pictures
from saecli.workflows.subjects import (
    Masks,
    Subjects,
    class_index,
    draw_fresh,
    read_subjects,
    with_class,
)
from saecli.workflows.twins import find_twins

if TYPE_CHECKING:
    from saecli.experiments.controls import ControlSettings
    from saecli.experiments.runner import Bench, Regions
    from saecli.experiments.verdicts import Rule

WITHOUT = 100  # pictures without the class on which specificity is measured


@dataclass(frozen=True)
class Plan:
    """Everything that decides an experiment; stored with the hypothesis before it runs.

    Attributes:
        concept: the latents, of one dictionary.
        images: by any name that ``--images`` takes.
        probe: whose margin is measured.
        class_name: A, whose margin is expected to fall.
        expect: B, in whose favour; None for the log-odds of A.
        value: what the latents are set to.
        scope: where.
        controls: of each kind.
        seed: of controls, intervals and the choice of pictures without A.
        masks: folder of masks (segmentation); None: beside the pictures, else predicted.
        twins: folder of counterfactual twins, or None.
        n_images: only so many of the set's pictures, or None.
    """

    concept: Concept
    images: str
    probe: str
    class_name: str
    expect: str | None = None
    value: str = "ablate"
    scope: str = "active"
    controls: int = 99
    seed: int = 0
    masks: Path | None = None
    twins: Path | None = None
    n_images: int | None = None

    def as_json(
        self, rule: "Rule", control: "ControlSettings", profile: ProfileInfo
    ) -> dict[str, Any]:
        """As plain values, with the rule, the choice of controls, and the profile.

        Maxima (``set:C``), means and the siblings that make no control are the profile's: over
        other pictures they would be another experiment's.
        """
        told: dict[str, Any] = as_json(self)
        return told | {
            "rule": asdict(rule),
            "control_settings": asdict(control),
            "profile": {
                "image_set": profile.image_set.name,
                "pictures": profile.image_set.digest,
                "settings": profile.settings,
            },
        }

    @property
    def statement(self) -> str:
        """The hypothesis in words."""
        favour = f" in favour of {self.expect}" if self.expect else ""
        return f"suppressing {self.concept} lowers the prediction of {self.class_name}{favour}"


@dataclass(frozen=True, eq=False)
class Trial:
    """An experiment's parts, loaded and checked."""

    info: DictionaryInfo
    profile: ProfileInfo
    probe_row: ProbeInfo
    bench: "Bench"
    subjects: Subjects
    image_ids: tuple[int, ...]
    without: Subjects
    without_ids: tuple[int, ...]
    n_excluded: int
    n_repeated: int
    masks: Masks | None
    regions: "Regions | None"
    twins: tuple[ImageFile, ...] | None
    by_prediction: bool


def prepare(
    catalog: Catalog,
    invocation: Invocation,
    plan: Plan,
    rule: "Rule",
    device: str,
    progress: Progress,
) -> Trial:
    """Load everything that a plan names and choose its pictures; nothing is run yet.

    Raises:
        SaecliError: if something is unknown or doesn't fit, or too few pictures are left.
    """
    from saecli.experiments.interventions import Value, parse_scope
    from saecli.experiments.margins import Contrast, target_patches
    from saecli.experiments.probes import Probe
    from saecli.experiments.runner import Bench, Regions

    with catalog.reading() as session:
        info, _ = get_latents(session, plan.concept)
        profile = get_profile(session, info)
        probe_row = get_probe(session, plan.probe)
        probe = Probe.from_bytes(read_probe(session, probe_row))
        used = selecting_images(session, plan.concept)
    Value.parse(plan.value)
    parse_scope(plan.scope, info.grid)
    a = class_index(probe, plan.class_name)
    b = None if plan.expect is None else class_index(probe, plan.expect)
    source = open_pictures(plan.images, progress, n_images=plan.n_images)
    backbone = backbone_of(info, progress, device=device)
    probe = probe.to(backbone.device)
    bench = Bench(
        backbone,
        load_dictionary(catalog, info, str(backbone.device)),
        probe,
        Contrast(a, b),
    )
    bench.check()
    segmentation = probe.task == "segmentation"
    masks = Masks.find(source, plan.masks) if segmentation else None
    chosen, rest, by_prediction = with_class(backbone, probe, a, source, masks, progress)
    subjects, n_excluded, n_repeated = read_subjects(source, chosen, progress).fresh(used)
    if len(subjects) < rule.least_images:
        taken = f", {n_excluded} left out because they helped to choose the latents" * bool(
            n_excluded
        )
        raise SaecliError(
            f"{len(subjects)} pictures of '{plan.class_name}' are left to test on{taken}",
            f"give at least {rule.least_images} that no recorded selection of the latents used",
        )
    regions = None
    if masks is not None:
        shares = masks.shares(backbone, subjects.files)
        regions = Regions(*target_patches(shares, masks.index(plan.class_name), masks.unlabelled))
    elsewhere = [] if segmentation else draw_fresh(rest, used, WITHOUT, plan.seed)
    without = read_subjects(source, elsewhere, progress)
    with catalog.writing() as session:
        ids, without_ids = (
            tuple(add_image(session, invocation.id, picture) for picture in part.pictures())
            for part in (subjects, without)
        )
    return Trial(
        info=info,
        profile=profile,
        probe_row=probe_row,
        bench=bench,
        subjects=subjects,
        image_ids=ids,
        without=without,
        without_ids=without_ids,
        n_excluded=n_excluded,
        n_repeated=n_repeated,
        masks=masks,
        regions=regions,
        twins=None if plan.twins is None else find_twins(plan.twins, subjects.files),
        by_prediction=by_prediction,
    )
