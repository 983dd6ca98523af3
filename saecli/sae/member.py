"""One dictionary under training: all of it that changes from step to step."""

import time

import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.sae.activity import Activity
from saecli.sae.model import Dictionary, Identity
from saecli.sae.objectives import Buffers, Losses, Precision, objective_of
from saecli.sae.plan import Plan
from saecli.sae.points import TrainingPoint
from saecli.sae.ranks import Ranks
from saecli.sae.state import SavedMember
from saecli.sae.weights import NAMES, OPTIONAL, Normalisation, Weights, best_gain, from_data

ADAM_BETAS = (0.9, 0.999)  # Gao et al. 2024, arXiv 2406.04093, section A.3
ADAM_EPS = 6.25e-10  # the same
FIRST_SAMPLE = 4096  # patches on which the encoder's first length and thresholds are fitted
DIVERGED = 10.0  # times the data's variance, or the first interval's error if that was larger


class Diverged(SaecliError):
    """The loss is no longer finite, or far beyond the data's variance."""


class Member:
    """A dictionary between two steps of the run that it is trained in."""

    def __init__(
        self,
        plan: Plan,
        identity: Identity,
        device: torch.device,
        precision: Precision,
        buffers: Buffers,
    ) -> None:
        """Its weights are there after `begin` or `restore`."""
        self.plan = plan
        self.rates = [(0, plan.lr)]
        self.objective = objective_of(plan, precision, buffers)
        self.activity = Activity(plan.n_latents, device)
        self.seconds = 0.0
        self._identity = identity
        self._device = device
        self._first_fvu = 0.0
        self._clear_sums()

    def begin(self, normalisation: Normalisation, x: Tensor, z: Tensor) -> None:
        """Start the weights from patches (n, d_model) on the CPU: x, normalised z."""
        plan, first = self.plan, z[:FIRST_SAMPLE]
        generator = torch.Generator().manual_seed(plan.seed)
        drawn = from_data(z, plan.n_latents, plan.init_mix, generator)
        weights = self.objective.begin(drawn, first)
        if plan.fit_encoder:
            start = self._dictionary(weights, normalisation)
            reconstruction = normalisation.apply(start.decode(start.encode(x[:FIRST_SAMPLE])))
            weights.W_enc.mul_(best_gain(first, reconstruction))
            weights = self.objective.begin(weights, first)
        self._place(normalisation.to(self._device), weights.tensors())

    def restore(self, saved: SavedMember, normalisation: Normalisation) -> None:
        """Continue where a saved dictionary stopped."""
        tensors, figures = saved.tensors, saved.figures
        self._place(normalisation, {n: tensors[n] for n in (*NAMES, *OPTIONAL) if n in tensors})
        self.objective.restore(saved.objective)
        self._adam.load_state_dict(saved.optimiser)
        self.activity.idle.copy_(tensors["idle"])
        self.activity.seen = int(figures["seen"])
        self.rates = [*saved.rates]
        if self.rates[-1][1] != self.plan.lr:
            self.rates.append((saved.step, self.plan.lr))
        self.seconds, self._first_fvu = figures["seconds"], figures["first_fvu"]
        self._sums.copy_(tensors["sums"])
        self._summed_steps = int(figures["summed_steps"])
        self._summed_seconds = figures["summed_seconds"]

    def saved(self, step: int) -> SavedMember:
        """Its state, on the CPU."""
        tensors = self._weights.tensors() | {"idle": self.activity.idle, "sums": self._sums}
        return SavedMember(
            plan=self.plan,
            step=step,
            rates=self.rates,
            tensors={name: tensor.detach().cpu() for name, tensor in tensors.items()},
            objective={name: t.clone() for name, t in self.objective.state().items()},
            optimiser=self._adam.state_dict(),
            figures={
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

    def update(self, z: Tensor, step: int, ranks: Ranks, reading: float) -> None:
        """Do one step on normalised patches z (n, d_model) of the device.

        Args:
            z: this rank's share of the batch.
            step: counted from 0.
            ranks: who else works on the batch.
            reading: seconds that its share of reading the batch took.
        """
        started = time.perf_counter()
        plan, weights = self.plan, self._weights
        losses = self.objective.step(
            weights,
            z,
            unused=self.activity.unused(plan.aux_after),
            warmth=plan.warmth_at(step),
            ranks=ranks,
        )
        if ranks.size > 1:
            losses = _summed(weights, losses, ranks)
        weights.remove_parallel_gradients()
        for group in self._adam.param_groups:
            group["lr"] = plan.lr_at(step)
        self._adam.step()
        weights.renormalise()
        self.activity.update(losses.fired, len(z) * ranks.size)
        self._add(losses)
        elapsed = time.perf_counter() - started + reading
        self.seconds += elapsed
        self._summed_seconds += elapsed

    def point(self, step: int) -> TrainingPoint:
        """The figures of the steps since the point before.

        Raises:
            Diverged: if it did.
        """
        n_patches = self._summed_steps * self.plan.batch
        loss, error, n_active = self._sums.tolist()
        fvu = error / n_patches / self._normalisation.variance
        point = TrainingPoint(
            step=step,
            patches_seen=self.activity.seen,
            loss=loss / self._summed_steps,
            explained_variance=1 - fvu,
            l0=n_active / n_patches,
            dead_fraction=self.activity.dead_fraction(self.plan.dead_window),
            patches_per_second=n_patches / max(self._summed_seconds, 1e-9),
        )
        self._first_fvu = self._first_fvu or fvu
        if not fvu <= DIVERGED * max(1.0, self._first_fvu):  # true for NaN as well
            raise Diverged(
                f"training diverged by step {step}: the loss is {point.loss:.3g}",
                f"train with a lower --lr than {self.plan.lr:.2g}",
            )
        self._clear_sums()
        return point

    def _place(self, normalisation: Normalisation, tensors: dict[str, Tensor]) -> None:
        """Put the weights on the device and make what works on them."""
        self._normalisation = normalisation
        self._weights = Weights(**{name: t.to(self._device) for name, t in tensors.items()})
        self._adam = torch.optim.Adam(
            self._weights.parameters(),
            lr=self.plan.lr,
            betas=ADAM_BETAS,
            eps=ADAM_EPS,
            fused=self._device.type in ("cpu", "cuda"),
        )

    def _dictionary(self, weights: Weights, normalisation: Normalisation) -> Dictionary:
        objective = self.objective
        return weights.dictionary(
            normalisation,
            self._identity,
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
        exact = torch.float32 if self._device.type == "mps" else torch.float64
        self._sums = torch.zeros(3, dtype=exact, device=self._device)
        self._summed_steps = 0
        self._summed_seconds = 0.0


def _summed(weights: Weights, losses: Losses, ranks: Ranks) -> Losses:
    """Sum the gradients over the ranks, in place, and the losses of their shares of the batch."""
    for name in weights.tensors():
        ranks.add(weights.gradient(name))
    figures = torch.stack([losses.total, losses.squared_error, losses.n_active.to(losses.total)])
    packed = torch.cat([figures, losses.fired.to(figures)])
    ranks.add(packed)
    return Losses(
        total=packed[0], squared_error=packed[1], n_active=packed[2], fired=packed[3:] > 0
    )
