"""A run's plan: the settings resolved for one set of activations."""

import math
from dataclasses import dataclass
from typing import Any

from saecli.errors import SaecliError
from saecli.sae.settings import TrainSettings, n_latents_of


@dataclass(frozen=True)
class Plan:
    """Settings resolved for one set of activations; what a run stores.

    Where no ``lr`` is given it is 4e-3·√(512/n_latents): the best rate falls as 1/√n_latents
    (Gao et al. 2024, section A.3), from the best measured on DINOv2-small at 3,072 latents, 1.6e-3
    (of 4e-4, 8e-4, 1.6e-3 and 3.2e-3, the last no better).
    ``aux_after`` and ``dead_window`` are in patches, warm-ups in steps, ``bandwidth`` in
    units where the mean norm is √d_model; ``prefixes`` end with n_latents.
    """

    objective: str
    n_latents: int
    k: int
    l1: float
    l0: float
    prefixes: tuple[int, ...] | None
    bandwidth: float
    n_steps: int
    batch: int
    lr: float
    lr_warmup: int
    decay_from: int
    penalty_warmup: int
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

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the dictionaries that must reconstruct by themselves, ascending."""
        return self.prefixes or (self.n_latents,)

    def lr_at(self, step: int) -> float:
        """Adam's rate at a step, counted from 0."""
        warm = min(1.0, (step + 1) / (self.lr_warmup + 1))
        left = self.n_steps - step
        return self.lr * warm * min(1.0, left / (self.n_steps - self.decay_from + 1))

    def warmth_at(self, step: int) -> float:
        """The share of a penalty's full weight at a step, counted from 0."""
        return min(1.0, (step + 1) / (self.penalty_warmup + 1))


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
        l0=settings.l0,
        prefixes=_prefixes(settings, n_latents, d_model),
        bandwidth=settings.bandwidth * math.sqrt(d_model),
        n_steps=n_steps,
        batch=batch,
        lr=4e-3 * math.sqrt(512 / n_latents) if settings.lr is None else settings.lr,
        lr_warmup=min(settings.lr_warmup, n_steps // 4),
        decay_from=n_steps - round(settings.decay * n_steps),
        penalty_warmup=min(settings.penalty_warmup, n_steps // 4),
        aux_weight=settings.aux_weight,
        aux_k=settings.aux_k or 2 ** round(math.log2(max(2, d_model) / 2)),
        aux_after=settings.aux_after or window,
        fit_encoder=settings.objective == "jumprelu"  # else what shrinks sinks below its threshold
        or settings.fit_below is None
        or n_steps < settings.fit_below,
        init_mix=settings.init_mix,
        dead_window=window,
        estimate=settings.estimate,
        held_out=settings.held_out,
        held_out_most=settings.held_out_most,
        metrics_every=math.ceil(n_steps / 100),
        seed=settings.seed,
    )


def _prefixes(settings: TrainSettings, n_latents: int, d_model: int) -> tuple[int, ...] | None:
    widths = sorted({n_latents_of(text, d_model) for text in settings.prefixes})
    if widths and widths[-1] >= n_latents:
        raise SaecliError(
            f"a prefix of {widths[-1]:,} latents is no part of a dictionary of {n_latents:,}",
            "give smaller --prefixes or more --latents",
            usage=True,
        )
    return (*widths, n_latents) if widths else None


def _check(settings: TrainSettings, n_latents: int) -> None:
    counts = ("k", "passes", "most_patches", "batch", "estimate", "dead_window", "held_out_most")
    given = [
        name for name in ("n_patches", "aux_k", "aux_after") if _of(settings, name) is not None
    ]
    wrong = [name for name in (*counts, *given) if _of(settings, name) < 1]
    wrong += [name for name in ("l1", "l0", "aux_weight", "lr_warmup") if _of(settings, name) < 0]
    wrong += [name for name in ("decay", "init_mix") if not 0 <= _of(settings, name) <= 1]
    wrong += [] if settings.bandwidth > 0 else ["bandwidth"]
    wrong += [] if 0 < settings.held_out < 1 else ["held_out"]
    wrong += [] if settings.lr is None or settings.lr > 0 else ["lr"]
    if wrong:
        raise SaecliError(
            f"{wrong[0]} can't be {_of(settings, wrong[0])}",
            "leave it at its default or give a sensible value",
            usage=True,
        )
    if settings.objective != "relu" and settings.k > n_latents:
        raise SaecliError(
            f"k = {settings.k} of {n_latents} latents can't be kept",
            "give a smaller --k or more --latents",
            usage=True,
        )


def _of(settings: TrainSettings, name: str) -> Any:
    return getattr(settings, name)
