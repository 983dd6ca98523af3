"""Train a dictionary on an image set's activations, profile it, keep both in the catalog."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from saecli.catalog.artifacts import store_artifact
from saecli.catalog.dictionaries import DictionaryInfo, find_dictionary
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.training import (
    add_training_points,
    begin_dictionary,
    check_name_free,
    publish_dictionary,
)
from saecli.errors import Interrupted
from saecli.progress import Progress
from saecli.records import TrainedDictionary, TrainReport
from saecli.workflows.inputs import Inputs, Store, computed, stored
from saecli.workflows.models import backbone_row, load_backbone, load_untrained_backbone
from saecli.workflows.profile import profile_activations

if TYPE_CHECKING:
    from saecli.activations.settings import CacheSettings
    from saecli.backbones.protocol import Backbone
    from saecli.sae.objectives import Precision
    from saecli.sae.points import TrainingPoint
    from saecli.sae.settings import TrainSettings
    from saecli.sae.trainer import TrainResult

LAYER = -2  # Stevens et al. 2025, section 4: the last block but one
RUNS = "runs"  # below the catalog's folder: the states of unfinished runs


@dataclass(frozen=True)
class Job:
    """One dictionary to train.

    Attributes:
        name: of the dictionary.
        backbone: by any name that ``--backbone`` takes; None only with a store.
        images: by any name that ``--images`` takes; None only with a store.
        layer: may count from the end; None for a store's only one.
        settings: of the training.
        n_images: only so many of the set's pictures; None for all.
        untrained: draw the backbone's weights at random, from the settings' seed.
        store: read these activations instead of running the backbone.
        profile: profile the dictionary over the same pictures afterwards.
    """

    name: str
    backbone: str | None
    images: str | None
    layer: int | None
    settings: "TrainSettings"
    n_images: int | None = None
    untrained: bool = False
    store: Store | None = None
    profile: bool = True


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
) -> TrainReport:
    """Train one dictionary; what is published is whole, what is interrupted can be resumed.

    Args:
        backbone: the job's, where it is loaded already.

    Raises:
        SaecliError: if the name is taken, nothing can be loaded, or training fails.
        Interrupted: on Ctrl-C; the state stays for ``--resume``.
    """
    from saecli.sae.trainer import train

    with catalog.reading() as session:
        check_name_free(session, job.name)
    state = catalog.files / RUNS / f"{job.name}.state"
    if resume and not state.exists():
        progress.say(f"no unfinished run of {job.name}: training it from the start")
    inputs = open_inputs(job, computing, progress, backbone)
    draft = _begin(catalog, invocation, job, inputs, resume=resume)
    try:
        result = train(
            inputs.activations,
            job.settings,
            inputs.identity,
            device=inputs.device,
            precision=computing.precision,
            on_metrics=_points_writer(catalog, draft),
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
    info = _publish(catalog, invocation, draft, result)
    state.unlink(missing_ok=True)
    if job.profile:
        _profile(catalog, invocation, info, result, inputs, progress)
    return TrainReport(
        dictionaries=[_record(info)],
        probes=[],
        skipped=[f"{one.name}: {one.reason}" for one in inputs.activations.skipped],
        catalog=str(catalog.path),
    )


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
        untrained_seed=job.settings.seed if job.untrained else None,
    )


def open_backbone(job: Job, computing: Computing, progress: Progress) -> "Backbone":
    """Load the job's backbone, or make its untrained twin."""
    assert job.backbone is not None
    if job.untrained:
        return load_untrained_backbone(
            job.backbone, job.settings.seed, progress, device=computing.device
        )
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


def _begin(
    catalog: Catalog, invocation: Invocation, job: Job, inputs: Inputs, *, resume: bool
) -> int:
    from saecli.sae.settings import n_latents_of

    backbone = inputs.backbone
    settings: dict[str, Any] = asdict(job.settings) | {"n_images": job.n_images}
    untrained = backbone.untrained_seed is not None
    if untrained:
        settings["untrained_seed"] = backbone.untrained_seed
    row = backbone_row(catalog, invocation, backbone, untrained=untrained)
    with catalog.writing() as session:
        return begin_dictionary(
            session,
            invocation.id,
            name=job.name,
            backbone=row,
            layer=inputs.layer,
            n_latents=n_latents_of(job.settings.latents, backbone.d_model),
            activation=job.settings.objective,
            settings=settings,
            untrained=untrained,
            image_set=inputs.pictures.spec,
            resume=resume,
        )


def _points_writer(catalog: Catalog, draft: int) -> "Callable[[TrainingPoint], None]":
    def write(point: "TrainingPoint") -> None:
        with catalog.writing() as session:
            add_training_points(session, draft, [asdict(point)])

    return write


def _publish(
    catalog: Catalog, invocation: Invocation, draft: int, result: "TrainResult"
) -> DictionaryInfo:
    from saecli.sae.checkpoints import to_bytes

    with catalog.writing() as session:
        checkpoint = store_artifact(
            session, invocation.id, to_bytes(result.dictionary), "checkpoint"
        )
        return publish_dictionary(
            session,
            draft,
            checkpoint=checkpoint,
            explained_variance=result.evaluation.explained_variance,
            l0=result.evaluation.l0,
            dead_fraction=result.dead_fraction,
            patches_seen=result.patches_seen,
            seconds=result.seconds,
            plan=asdict(result.plan),
        )


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
            info,
            result.dictionary,
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
