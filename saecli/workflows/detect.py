"""Which latents detect a concept, by masks or by pictures with and without it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary
from saecli.catalog.images import record_image_set
from saecli.catalog.invocations import Invocation
from saecli.catalog.labels import current_labels
from saecli.catalog.observations import add_selection
from saecli.catalog.opening import Catalog
from saecli.progress import Progress
from saecli.records import DetectedLatent, DetectReport
from saecli.refs import latent_ref
from saecli.workflows.examples import Examples
from saecli.workflows.models import backbone_of, load_dictionary
from saecli.workflows.pictures import stored_root
from saecli.workflows.untrained import told_twin, twin_of

if TYPE_CHECKING:
    from torch import Tensor

    from saecli.activations.settings import CacheSettings
    from saecli.activations.source import Source
    from saecli.backbones.protocol import Backbone
    from saecli.experiments.advantage import Counts
    from saecli.experiments.detection import Detection
    from saecli.progress import Task
    from saecli.sae.model import Dictionary

BATCH = 32  # pictures encoded together


def detect_latents(
    catalog: Catalog,
    invocation: Invocation,
    dictionary_name: str,
    examples: Examples,
    *,
    top: int,
    device: str,
    cache: "CacheSettings",
    progress: Progress,
) -> DetectReport:
    """Rank a dictionary's latents by how well they detect a concept, and record the choice.

    Where the catalog has the dictionary's untrained twin, the best F1 of its latents stands beside.

    Raises:
        SaecliError: if there is no such dictionary, or no positive or negative example.
    """
    with catalog.reading() as session:
        info = get_dictionary(session, dictionary_name)
        twin = twin_of(session, info, progress)
    trained = _Through.of(catalog, info, examples, device, cache, progress)
    found = trained.score(progress)
    beside = (
        None
        if twin is None
        else _beside_untrained(catalog, twin, trained, found, device, cache, progress)
    )
    order = [int(latent) for latent in found.ranked()[:top]]
    subjects = examples.subjects
    image_set = record_image_set(
        catalog,
        invocation.id,
        name=subjects.source.spec,
        root=stored_root(subjects.source),
        pictures=subjects.pictures(),
        skipped=[(one.name, one.reason) for one in subjects.skipped],
    )
    figures = [_figures(found, i) for i in order]
    if beside is not None:
        figures[0] |= _stood_beside(beside)
    with catalog.writing() as session:
        add_selection(
            session,
            invocation.id,
            kind="detect",
            dictionary=info,
            image_set=image_set,
            class_name=examples.name,
            latents=zip(order, figures, strict=True),
        )
    with catalog.reading() as session:
        labels = current_labels(session, info, order)
    return DetectReport(
        dictionary=info.name,
        class_=examples.name,
        n_images=len(subjects),
        n_positive=found.n_positive,
        n_negative=found.n_negative,
        latents=[
            DetectedLatent(
                ref=latent_ref(info.name, i),
                f1=float(found.f1[i]),
                precision=float(found.precision[i]),
                recall=float(found.recall[i]),
                auroc=float(found.auroc[i]),
                threshold=float(found.threshold[i]),
                label=labels.get(i),
            )
            for i in order
        ],
        untrained_score=None if beside is None else beside.score,
        beyond_untrained=None if beside is None else beside.beyond,
        untrained_ref=None if beside is None else latent_ref(beside.twin.name, beside.latent),
    )


@dataclass(frozen=True)
class _Through:
    """Examples seen through one dictionary and its backbone."""

    dictionary: "Dictionary"
    backbone: "Backbone"
    examples: Examples
    activations: "Source"

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        info: DictionaryInfo,
        examples: Examples,
        device: str,
        cache: "CacheSettings",
        progress: Progress,
    ) -> "_Through":
        from saecli.activations.streaming import open_activations

        backbone = backbone_of(info, progress, device=device)
        dictionary = load_dictionary(catalog, info, str(backbone.device))
        dictionary.check_fits(backbone)
        activations = open_activations(
            backbone,
            examples.subjects.files,
            info.layer,
            read_once=False,
            cache=cache,
            progress=progress,
        )
        return cls(dictionary, backbone, examples, activations)

    def score(self, progress: Progress) -> "Detection":
        """Every latent as a detector."""
        from saecli.experiments.detection import detect_images, detect_patches

        with progress.task("detecting", len(self.examples.subjects), "images") as task:
            if self.examples.masks is not None:
                return detect_patches(self.dictionary, self._patches(task))
            return detect_images(self.dictionary, self._images(task))

    def hits(self, found: "Detection", progress: Progress) -> "Counts":
        """What the best latent gets right and wrong in each picture, at its best threshold."""
        from saecli.experiments.advantage import patch_hits, picture_hits

        best = int(found.ranked()[0])
        chosen = (self.dictionary, best, float(found.threshold[best]))
        with progress.task("counting", len(self.examples.subjects), "images") as task:
            if self.examples.masks is not None:
                return patch_hits(*chosen, self._patches(task))
            return picture_hits(*chosen, self._images(task))

    def _recorded(self, task: "Task") -> "Iterator[tuple[Tensor, NDArray[np.int64]]]":
        for start, x in self.activations.batches(BATCH):
            # The backbone may refuse a picture that could be read: places are not counted.
            seen = self.activations.images[start : start + len(x)]
            yield x, np.array([place for place, _ in seen])
            task.advance(len(x))

    def _patches(
        self, task: "Task"
    ) -> "Iterator[tuple[Tensor, NDArray[np.bool_], NDArray[np.bool_]]]":
        from saecli.experiments.margins import target_patches

        masks, files = self.examples.masks, self.examples.subjects.files
        assert masks is not None
        at = masks.index(self.examples.name)
        for x, places in self._recorded(task):
            shares = masks.shares(self.backbone, [files[i] for i in places])
            yield x, *target_patches(shares, at, masks.unlabelled)

    def _images(self, task: "Task") -> "Iterator[tuple[Tensor, NDArray[np.bool_]]]":
        positive = self.examples.positive
        assert positive is not None
        for x, places in self._recorded(task):
            yield x, positive[places]


@dataclass(frozen=True)
class _Beside:
    """The untrained twin's best latent, its F1, and whether the trained one's is beyond it."""

    twin: DictionaryInfo
    latent: int
    score: float
    beyond: bool


def _figures(found: "Detection", latent: int) -> dict[str, Any]:
    return {"f1": float(found.f1[latent]), "auroc": float(found.auroc[latent])}


def _stood_beside(beside: _Beside) -> dict[str, Any]:
    """What is stored with the best latent of what it stood beside."""
    return {
        "untrained": told_twin(beside.twin, beside.latent),
        "untrained_score": beside.score,
        "beyond_untrained": beside.beyond,
    }


def _beside_untrained(
    catalog: Catalog,
    twin: DictionaryInfo,
    trained: _Through,
    found: "Detection",
    device: str,
    cache: "CacheSettings",
    progress: Progress,
) -> _Beside:
    from saecli.experiments.advantage import f1_advantage

    untrained = _Through.of(catalog, twin, trained.examples, device, cache, progress)
    other = untrained.score(progress)
    low, _ = f1_advantage(trained.hits(found, progress), untrained.hits(other, progress), seed=0)
    best = int(other.ranked()[0])
    return _Beside(twin, best, float(other.f1[best]), low > 0)
