"""How a dictionary is trained: every default once, the presets, and a run's resolved plan."""

import math
import re
from dataclasses import dataclass
from typing import Any

from saecli.errors import SaecliError
from saecli.refs import parse_count

_MULTIPLE = re.compile(r"(\d+(?:\.\d+)?)[x×]")


@dataclass(frozen=True)
class TrainSettings:
    """What a user chooses; None is resolved from the data (see `Plan`).

    Attributes:
        objective: a name in `saecli.sae.objectives.OBJECTIVES`.
        latents: a count, or a multiple of d_model such as ``8x``.
        k: latents kept of each patch (topk).
        l1: weight of the L1 penalty (relu), against a squared error per element of inputs
            whose mean norm is √d_model.
        n_patches: patches trained on; None: ``passes`` over the set, at most ``most_patches``.
        batch: patches to a step.
        lr: Adam's peak learning rate; None: see `Plan.lr`.
        lr_warmup: steps of linear warm-up; at most a quarter of the run.
        decay: share of the run, at its end, over which the rate falls linearly to 0.
        l1_warmup: steps over which the penalty grows linearly; at most a quarter of the run.
        aux_weight: weight of the AuxK loss.
        aux_k: unused latents that AuxK takes for each patch; None: the power of two nearest
            to d_model/2.
        aux_after: patches without activity after which AuxK takes a latent; None: as many as
            make it dead.
        init_mix: share of a data point in a decoder row's initial direction, the rest random.
        fit_below: a run of fewer steps starts with its encoder scaled so that the first
            reconstruction errs least; None: every run. That explains more after few steps; a small
            dictionary trained for many loses latents by it.
        dead_window: patches without activity after which a latent is dead, or the training
            set where it is smaller.
        estimate: patches from which mean and scale are estimated.
        held_out: share of the images that is never trained on.
        held_out_most: held-out images at most.
        seed: orders images and patches, draws held-out images and initial directions.
    """

    objective: str = "topk"  # states its sparsity: no penalty to tune for each backbone
    latents: str = "8x"  # 6,144 for a ViT-B: still looked through by a person
    k: int = 32  # Gao et al. 2024 train most of theirs with it
    l1: float = 8e-4  # Stevens et al. 2025, the published CLIP dictionary
    n_patches: int | None = None
    passes: int = 20  # held-out error is flat from 8 to 20 on 250 photographs, fewer latents die
    most_patches: int = 100_000_000  # Stevens et al. 2025, Table A1
    batch: int = 2048  # on 250 photographs better than 4,096 from as many patches
    lr: float | None = None
    lr_warmup: int = 100  # measured on the built-in world
    decay: float = 0.25  # measured on the built-in world
    l1_warmup: int = 500  # Stevens et al. 2025, the published CLIP dictionary
    aux_weight: float = 1 / 32  # Gao et al. 2024, section A.2
    aux_k: int | None = None
    aux_after: int | None = None
    fit_below: int | None = None  # measured on 250 photographs: 0.75 against 0.65 explained
    init_mix: float = 0.8  # as in saev; on 250 photographs explains 2 % more than random rows
    dead_window: int = 10_000_000  # Gao et al. 2024, section 2.4
    estimate: int = 65_536  # the mean's error is 1/256 of a standard deviation
    held_out: float = 0.05
    held_out_most: int = 4_000
    seed: int = 0


PRESETS: dict[str, TrainSettings] = {
    "default": TrainSettings(),
    # Stevens et al. 2025, arXiv 2502.06755, Table A1: lr and λ were swept over 3e-4, 1e-3, 3e-3
    # and 4e-4, 8e-4, 1.6e-3; these are those of the published SAE-CLIP-24K-ViT-B-16
    "paper": TrainSettings(
        objective="relu",
        latents="32x",
        l1=8e-4,
        n_patches=100_000_000,
        batch=16_384,
        lr=3e-3,
        lr_warmup=500,
        decay=0.0,
        l1_warmup=500,
    ),
    # the built-in world: 0.95 explained variance at L0 8 without a dead latent, in half a minute
    "fieldguide": TrainSettings(
        latents="512",
        k=8,
        fit_below=400,
        n_patches=1600 * 4096,
        batch=4096,
        lr=2e-3,
        aux_after=30 * 4096,
    ),
}


@dataclass(frozen=True)
class Plan:
    """Settings resolved for one set of activations; what a run stores.

    Where no ``lr`` is given it is 4e-3·√(512/n_latents): the best rate falls as 1/√n_latents
    (Gao et al. 2024, section A.3), from the best measured on DINOv2-small at 3,072 latents, 1.6e-3
    (of 4e-4, 8e-4, 1.6e-3 and 3.2e-3, the last no better).
    ``aux_after`` and ``dead_window`` are in patches, warm-ups in steps.
    """

    objective: str
    n_latents: int
    k: int
    l1: float
    n_steps: int
    batch: int
    lr: float
    lr_warmup: int
    decay_from: int
    l1_warmup: int
    aux_weight: float
    aux_k: int
    aux_after: int
    fit_encoder: bool
    init_mix: float
    dead_window: int
    estimate: int
    held_out: float
    held_out_most: int
    metrics_every: int
    seed: int

    @property
    def n_patches(self) -> int:
        """Patches trained on."""
        return self.n_steps * self.batch

    def lr_at(self, step: int) -> float:
        """Adam's rate at a step, counted from 0."""
        warm = min(1.0, (step + 1) / (self.lr_warmup + 1))
        left = self.n_steps - step
        return self.lr * warm * min(1.0, left / (self.n_steps - self.decay_from + 1))

    def l1_at(self, step: int) -> float:
        """The penalty's weight at a step, counted from 0."""
        return self.l1 * min(1.0, (step + 1) / (self.l1_warmup + 1))


def n_latents_of(latents: str, d_model: int) -> int:
    """Read a count of latents: ``1536``, ``24k``, or a multiple of d_model such as ``8x``.

    Raises:
        SaecliError: if it is neither, or gives no latent.
    """
    found = _MULTIPLE.fullmatch(latents.strip().lower())
    try:
        n_latents = round(float(found[1]) * d_model) if found else parse_count(latents)
    except SaecliError as error:
        raise SaecliError(error.problem, "write 1536, 24k or 8x", usage=True) from None
    if n_latents < 1:
        raise SaecliError(f"'{latents}' gives no latents", "write 1536 or 8x", usage=True)
    return n_latents


def resolve(settings: TrainSettings, d_model: int, n_patches: int) -> Plan:
    """Fill in what depends on the activations.

    Args:
        settings: as chosen.
        d_model: width of an activation.
        n_patches: of the training images.

    Raises:
        SaecliError: if the settings can't be meant.
    """
    n_latents = n_latents_of(settings.latents, d_model)
    _check(settings, n_latents)
    wanted = settings.n_patches
    if wanted is None:
        wanted = min(settings.most_patches, settings.passes * n_patches)
    batch = min(settings.batch, wanted)
    n_steps = wanted // batch
    window = max(1, min(settings.dead_window, n_patches))
    return Plan(
        objective=settings.objective,
        n_latents=n_latents,
        k=settings.k,
        l1=settings.l1,
        n_steps=n_steps,
        batch=batch,
        lr=4e-3 * math.sqrt(512 / n_latents) if settings.lr is None else settings.lr,
        lr_warmup=min(settings.lr_warmup, n_steps // 4),
        decay_from=n_steps - round(settings.decay * n_steps),
        l1_warmup=min(settings.l1_warmup, n_steps // 4),
        aux_weight=settings.aux_weight,
        aux_k=settings.aux_k or 2 ** round(math.log2(max(2, d_model) / 2)),
        aux_after=settings.aux_after or window,
        fit_encoder=settings.fit_below is None or n_steps < settings.fit_below,
        init_mix=settings.init_mix,
        dead_window=window,
        estimate=settings.estimate,
        held_out=settings.held_out,
        held_out_most=settings.held_out_most,
        metrics_every=math.ceil(n_steps / 100),
        seed=settings.seed,
    )


def _check(settings: TrainSettings, n_latents: int) -> None:
    counts = ("k", "passes", "most_patches", "batch", "estimate", "dead_window", "held_out_most")
    given = [
        name for name in ("n_patches", "aux_k", "aux_after") if _of(settings, name) is not None
    ]
    wrong = [name for name in (*counts, *given) if _of(settings, name) < 1]
    wrong += [name for name in ("l1", "aux_weight", "lr_warmup") if _of(settings, name) < 0]
    wrong += [name for name in ("decay", "init_mix") if not 0 <= _of(settings, name) <= 1]
    wrong += [] if 0 < settings.held_out < 1 else ["held_out"]
    wrong += [] if settings.lr is None or settings.lr > 0 else ["lr"]
    if wrong:
        raise SaecliError(
            f"{wrong[0]} can't be {_of(settings, wrong[0])}",
            "leave it at its default or give a sensible value",
            usage=True,
        )
    if settings.objective == "topk" and settings.k > n_latents:
        raise SaecliError(
            f"k = {settings.k} of {n_latents} latents can't be kept",
            "give a smaller --k or more --latents",
            usage=True,
        )


def _of(settings: TrainSettings, name: str) -> Any:
    return getattr(settings, name)
