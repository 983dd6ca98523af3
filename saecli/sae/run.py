"""One training run under way: all that changes from step to step, saved and restored whole."""

import time

import torch
from torch import Tensor

from saecli.activations.source import Position, Source
from saecli.errors import SaecliError
from saecli.sae.activity import Activity
from saecli.sae.interrupts import held_interrupts
from saecli.sae.model import Dictionary, Identity
from saecli.sae.objectives import Losses, Precision, objective_of
from saecli.sae.plan import resolve
from saecli.sae.points import TrainingPoint
from saecli.sae.ranks import ALONE
from saecli.sae.settings import TrainSettings
from saecli.sae.state import SavedRun
from saecli.sae.weights import NAMES, OPTIONAL, Normalisation, Weights, best_gain, from_data

ADAM_BETAS = (0.9, 0.999)  # Gao et al. 2024, arXiv 2406.04093, section A.3
ADAM_EPS = 6.25e-10  # the same
FIRST_SAMPLE = 4096  # patches on which the encoder's first length and thresholds are fitted
DIVERGED = 10.0  # times the data's variance, or the first interval's error if that was larger


class Run:
    """A run between two steps; every method leaves it so, whatever interrupts it."""

    def __init__(
        self,
        source: Source,
        settings: TrainSettings,
        identity: Identity,
        device: str,
        precision: Precision,
    ) -> None:
        """Resolve the plan; weights are there after `begin` or `restore`."""
        self.source = source
        self.identity = identity
        self.device = torch.device(device)
        self.split = source.split(settings.held_out, settings.held_out_most, settings.seed)
        n_patches = len(self.split.train) * source.grid.n_patches
        self.plan = resolve(settings, source.d_model, n_patches)
        self.objective = objective_of(self.plan, precision)
        self.activity = Activity(self.plan.n_latents, self.device)
        self.step = 0
        self.seconds = 0.0
        self._n_patches = n_patches
        self._position = Position()
        self._first_fvu = 0.0
        self._clear_sums()

    def begin(self) -> None:
        """Estimate mean and scale from the first patches, and start the weights from data."""
        plan = self.plan
        stream = self.source.shuffled(self.split.train, plan.seed)
        sample = stream.draw(min(plan.estimate, self._n_patches))
        normalisation = Normalisation.estimate(sample)
        z = normalisation.apply(sample)
        generator = torch.Generator().manual_seed(plan.seed)
        first = z[:FIRST_SAMPLE]
        drawn = from_data(z, plan.n_latents, plan.init_mix, generator)
        weights = self.objective.begin(drawn, first)
        if plan.fit_encoder:
            start = self._dictionary(weights, normalisation)
            reconstruction = normalisation.apply(start.decode(start.encode(sample[:FIRST_SAMPLE])))
            weights.W_enc.mul_(best_gain(first, reconstruction))
            weights = self.objective.begin(weights, first)
        self._place(normalisation, weights.tensors())

    def restore(self, saved: SavedRun) -> None:
        """Continue where a saved run stopped."""
        tensors, figures = saved.tensors, saved.figures
        normalisation = Normalisation(tensors["mean"], tensors["scale"], figures["variance"])
        self._place(normalisation, {n: tensors[n] for n in (*NAMES, *OPTIONAL) if n in tensors})
        self.objective.restore(saved.objective)
        self._adam.load_state_dict(saved.optimiser)
        self.activity.idle.copy_(tensors["idle"])
        self.activity.seen = int(figures["seen"])
        self.step, self._position = saved.step, saved.position
        self.seconds, self._first_fvu = figures["seconds"], figures["first_fvu"]
        self._sums.copy_(tensors["sums"])
        self._summed_steps = int(figures["summed_steps"])
        self._summed_seconds = figures["summed_seconds"]

    def saved(self) -> SavedRun:
        """The state between two steps."""
        tensors = self._weights.tensors() | {
            "mean": self._normalisation.mean,
            "scale": self._normalisation.scale,
            "idle": self.activity.idle,
            "sums": self._sums,
        }
        return SavedRun(
            plan=self.plan,
            identity=self.identity,
            pictures=self.source.fingerprint,
            step=self.step,
            position=self._position,
            tensors={name: tensor.detach().cpu() for name, tensor in tensors.items()},
            objective={name: t.clone() for name, t in self.objective.state().items()},
            optimiser=self._adam.state_dict(),
            figures={
                "variance": self._normalisation.variance,
                "seen": self.activity.seen,
                "seconds": self.seconds,
                "first_fvu": self._first_fvu,
                "summed_steps": self._summed_steps,
                "summed_seconds": self._summed_seconds,
            },
        )

    def dictionary(self) -> Dictionary:
        """The dictionary as it is now, on the CPU."""
        return self._dictionary(self._weights, self._normalisation)

    def open_stream(self) -> None:
        """Start reading where the run stands."""
        self._stream = self.source.shuffled(self.split.train, self.plan.seed, self._position)

    def advance(self) -> TrainingPoint | None:
        """Do one step; a point where an interval ends.

        Raises:
            SaecliError: if the loss is no longer finite, or far beyond the data's variance.
        """
        started = time.perf_counter()
        x = self._stream.draw(self.plan.batch)
        with held_interrupts():
            z = self._normalisation.apply(x.to(self.device))
            self._update(z)
            self._position = self._stream.position
            self.step += 1
            elapsed = time.perf_counter() - started
            self.seconds += elapsed
            self._summed_seconds += elapsed
        if self.step % self.plan.metrics_every and self.step < self.plan.n_steps:
            return None
        return self._point()

    def _update(self, z: Tensor) -> None:
        plan, weights = self.plan, self._weights
        losses = self.objective.step(
            weights,
            z,
            unused=self.activity.unused(plan.aux_after),
            warmth=plan.warmth_at(self.step),
            ranks=ALONE,
        )
        weights.remove_parallel_gradients()
        for group in self._adam.param_groups:
            group["lr"] = plan.lr_at(self.step)
        self._adam.step()
        weights.renormalise()
        self.activity.update(losses.fired, len(z))
        self._add(losses)

    def _place(self, normalisation: Normalisation, tensors: dict[str, Tensor]) -> None:
        """Put the weights on the device and make what works on them."""
        self._normalisation = normalisation.to(self.device)
        self._weights = Weights(**{name: t.to(self.device) for name, t in tensors.items()})
        self._adam = torch.optim.Adam(
            self._weights.parameters(),
            lr=self.plan.lr,
            betas=ADAM_BETAS,
            eps=ADAM_EPS,
            fused=self.device.type in ("cpu", "cuda"),
        )

    def _dictionary(self, weights: Weights, normalisation: Normalisation) -> Dictionary:
        objective = self.objective
        return weights.dictionary(
            normalisation,
            self.identity,
            objective.activation,
            k=objective.k,
            threshold=objective.threshold(weights),
            prefixes=self.plan.prefixes,
        )

    def _add(self, losses: Losses) -> None:
        figures = (losses.total, losses.squared_error, losses.n_active)
        self._sums += torch.stack([figure.to(self._sums.dtype) for figure in figures])
        self._summed_steps += 1

    def _clear_sums(self) -> None:
        exact = torch.float32 if self.device.type == "mps" else torch.float64
        self._sums = torch.zeros(3, dtype=exact, device=self.device)
        self._summed_steps = 0
        self._summed_seconds = 0.0

    def _point(self) -> TrainingPoint:
        n_patches = self._summed_steps * self.plan.batch
        loss, error, n_active = self._sums.tolist()
        fvu = error / n_patches / self._normalisation.variance
        point = TrainingPoint(
            step=self.step,
            patches_seen=self.activity.seen,
            loss=loss / self._summed_steps,
            explained_variance=1 - fvu,
            l0=n_active / n_patches,
            dead_fraction=self.activity.dead_fraction(self.plan.dead_window),
            patches_per_second=n_patches / max(self._summed_seconds, 1e-9),
        )
        self._first_fvu = self._first_fvu or fvu
        if not fvu <= DIVERGED * max(1.0, self._first_fvu):  # true for NaN as well
            raise SaecliError(
                f"training diverged by step {self.step}: the loss is {point.loss:.3g}",
                f"train with a lower --lr than {self.plan.lr:.2g}",
            )
        self._clear_sums()
        return point
