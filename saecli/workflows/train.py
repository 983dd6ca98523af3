"""Train a dictionary on an image set's activations, profile it, keep both in the catalog."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saecli.catalog.dictionaries import DictionaryInfo, find_dictionary
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.training import check_name_free
from saecli.errors import Interrupted
from saecli.progress import Progress
from saecli.records import TrainedDictionary, TrainReport
from saecli.workflows import mirrors
from saecli.workflows.claims import claimed
from saecli.workflows.drafts import begin_drafts, points_writer, publish
from saecli.workflows.inputs import Inputs, Store, computed, stored
from saecli.workflows.mirrors import NOWHERE, Mirrored
from saecli.workflows.models import backbone_row, load_backbone, load_untrained_backbone
from saecli.workflows.pictures import check_named
from saecli.workflows.profile import profile_activations
from saecli.workflows.together import ALONE, Order, Team
from saecli.workflows.variants import Variant

if TYPE_CHECKING:
    from saecli.activations.settings import CacheSettings
    from saecli.backbones.protocol import Backbone
    from saecli.sae.objectives import Precision
    from saecli.sae.settings import TrainSettings
    from saecli.sae.trainer import TrainResult

LAYER = -2  # Stevens et al. 2025, section 4: the last block but one
RUNS = "runs"  # below the catalog's folder: the states of unfinished runs


@dataclass(frozen=True)
class Job:
    """Dictionaries to train on the same activations.

    Attributes:
        name: of the dictionary; of several, what their names begin with.
        backbone: by any name that ``--backbone`` takes; None only with a store.
        images: by any name that ``--images`` takes; None only with a store.
        layer: may count from the end; None for a store's only one.
        variants: settings of each dictionary; they agree in what orders the batches.
        n_images: only so many of the set's pictures; None for all.
        untrained: draw the backbone's weights at random, from the settings' seed.
        store: read these activations instead of running the backbone.
        profile: profile the dictionaries over the same pictures afterwards.
        mirrored: where the figures of the training are copied to.
    """

    name: str
    backbone: str | None
    images: str | None
    layer: int | None
    variants: tuple[Variant, ...]
    n_images: int | None = None
    untrained: bool = False
    store: Store | None = None
    profile: bool = True
    mirrored: Mirrored = NOWHERE

    @property
    def seed(self) -> int:
        """Of all of them."""
        return self.variants[0].settings.seed

    def dictionaries(self) -> "dict[str, TrainSettings]":
        """The settings of each dictionary by its name."""
        return {variant.name(self.name): variant.settings for variant in self.variants}


@dataclass(frozen=True)
class Computing:
    """Where and how the numbers are computed."""

    device: str
    precision: "Precision"
    cache: "CacheSettings"


def train_dictionary(
    catalog: Catalog,
    invocation: Invocation,
    job: Job,
    computing: Computing,
    progress: Progress,
    *,
    resume: bool = False,
    backbone: "Backbone | None" = None,
    team: Team = ALONE,
) -> TrainReport:
    """Train a job's dictionaries; what is published is whole, what is interrupted can be resumed.

    Args:
        backbone: the job's, where it is loaded already.
        team: the processes that train together.

    Raises:
        SaecliError: if a name is taken or being trained, nothing can be loaded, or training fails.
        Interrupted: on Ctrl-C; the state stays for ``--resume``.
    """
    if job.images is not None:
        check_named(job.images)
    dictionaries = job.dictionaries()
    with catalog.reading() as session:
        for name in dictionaries:
            check_name_free(session, name)
    folder = catalog.files / RUNS
    state = folder / f"{job.name}.state"
    with claimed(folder, [job.name, *dictionaries], catalog.name):
        for left in folder.glob(f".{state.name}.*"):  # of a run that was killed while it saved
            left.unlink(missing_ok=True)
        if resume and not state.exists():
            progress.say(f"no unfinished run of {job.name}: training it from the start")
        inputs = open_inputs(job, computing, progress, backbone)
        results, published = _train(
            catalog, invocation, job, computing, progress, inputs, state, team, resume=resume
        )
        state.unlink(missing_ok=True)
    trained = [result for result in results if not isinstance(result, str)]
    if job.profile:
        for info, result in zip(published, trained, strict=True):
            _profile(catalog, invocation, info, result, inputs, progress)
    return TrainReport(
        dictionaries=[_record(info) for info in published],
        probes=[],
        skipped=[f"{one.name}: {one.reason}" for one in inputs.activations.skipped],
        catalog=str(catalog.path),
        diverged=[
            f"{name}: {result}"
            for name, result in zip(dictionaries, results, strict=True)
            if isinstance(result, str)
        ],
    )


def _train(
    catalog: Catalog,
    invocation: Invocation,
    job: Job,
    computing: Computing,
    progress: Progress,
    inputs: Inputs,
    state: Path,
    team: Team,
    *,
    resume: bool,
) -> "tuple[list[TrainResult | str], list[DictionaryInfo]]":
    from saecli.sae.trainer import train_together

    dictionaries = job.dictionaries()
    details: dict[str, Any] = {"n_images": job.n_images}
    untrained = inputs.backbone.untrained_seed is not None
    if untrained:
        details["untrained_seed"] = inputs.backbone.untrained_seed
    row = backbone_row(catalog, invocation, inputs.backbone, untrained=untrained)
    drafts = begin_drafts(catalog, invocation, dictionaries, row, inputs, details, resume=resume)
    team.call(Order(job, computing, state, resume))
    try:
        with mirrors.opened(job.mirrored, invocation.settings, progress) as opened:
            results = train_together(
                inputs.activations,
                list(dictionaries.values()),
                inputs.identity,
                device=inputs.device,
                precision=computing.precision,
                ranks=team.ranks(),
                on_metrics=points_writer(catalog, drafts, list(dictionaries), opened),
                progress=progress,
                state=state,
                resume=resume,
            )
    except KeyboardInterrupt:
        if not state.exists():
            raise Interrupted(
                f"training of {job.name} was interrupted before its first step",
                "run the same command again; recorded activations are kept",
            ) from None
        raise Interrupted(
            f"training of {job.name} was interrupted and its state kept",
            "go on with the same command and --resume",
        ) from None
    return results, publish(catalog, invocation, drafts, results)


def open_inputs(
    job: Job, computing: Computing, progress: Progress, backbone: "Backbone | None" = None
) -> Inputs:
    """The activations that the job trains on, of its backbone or of its store."""
    if job.store is not None:
        return stored(
            job.store,
            job.layer,
            progress,
            device=computing.device,
            backbone=job.backbone,
            images=job.images,
            n_images=job.n_images,
        )
    assert job.images is not None
    return computed(
        backbone or open_backbone(job, computing, progress),
        job.images,
        LAYER if job.layer is None else job.layer,
        progress,
        cache=computing.cache,
        n_images=job.n_images,
        untrained_seed=job.seed if job.untrained else None,
    )


def open_backbone(job: Job, computing: Computing, progress: Progress) -> "Backbone":
    """Load the job's backbone, or make its untrained twin."""
    assert job.backbone is not None
    if job.untrained:
        return load_untrained_backbone(job.backbone, job.seed, progress, device=computing.device)
    return load_backbone(job.backbone, progress, device=computing.device)


def default_name(backbone: str, *, untrained: bool) -> str:
    """A dictionary's name where none is given: the last part of its backbone's."""
    last = re.split(r"[:/\\\\]", backbone.rstrip("/\\"))[-1]
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", last).strip("-._") or "dictionary"
    return f"{name}-untrained" if untrained else name


def kept_dictionary(catalog: Catalog, name: str) -> TrainedDictionary | None:
    """A dictionary that an earlier run finished."""
    with catalog.reading() as session:
        info = find_dictionary(session, name)
    return _record(info) if info else None


def _profile(
    catalog: Catalog,
    invocation: Invocation,
    info: DictionaryInfo,
    result: "TrainResult",
    inputs: Inputs,
    progress: Progress,
) -> None:
    from saecli.profiling.profiler import ProfileSettings

    try:
        profile_activations(
            catalog,
            invocation,
            [info],
            [result.dictionary],
            inputs.activations,
            inputs.pictures,
            ProfileSettings(seed=result.plan.seed),
            progress,
        )
    except KeyboardInterrupt:
        raise Interrupted(
            f"{info.name} is trained and kept, but its profile was interrupted",
            f"make it with saecli profile {info.name} --images {inputs.pictures.spec}",
        ) from None


def _record(info: DictionaryInfo) -> TrainedDictionary:
    seconds = info.seconds or 0.0
    return TrainedDictionary(
        name=info.name,
        explained_variance=_number(info.explained_variance),
        l0=_number(info.l0),
        dead_fraction=_number(info.dead_fraction),
        n_latents=info.n_latents,
        patches_seen=info.patches_seen or 0,
        seconds=seconds,
        patches_per_second=(info.patches_seen or 0) / seconds if seconds else 0.0,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
