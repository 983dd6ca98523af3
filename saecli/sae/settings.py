"""How a dictionary is trained, as a user says it: every default once, and the presets."""

import re
from dataclasses import dataclass

from saecli.errors import SaecliError
from saecli.refs import parse_count

_MULTIPLE = re.compile(r"(\d+(?:\.\d+)?)[x×]")


@dataclass(frozen=True)
class TrainSettings:
    """What a user chooses; None is resolved from the data (see `saecli.sae.plan`).

    Attributes:
        objective: a name in `saecli.sae.objectives.OBJECTIVES`.
        latents: a count, or a multiple of d_model such as ``8x``.
        k: latents kept of each patch (topk), or of a patch in the mean (batchtopk); what
            thresholds start from (jumprelu).
        l1: weight of the L1 penalty (relu), against a squared error per element of inputs
            whose mean norm is √d_model.
        l0: weight of the L0 penalty (jumprelu), against the same error.
        prefixes: widths of nested dictionaries (Matryoshka) below the whole, as counts or
            multiples of d_model; none: only the whole must reconstruct.
        bandwidth: width of the kernel that estimates the thresholds' gradients (jumprelu), in
            units where the mean norm is 1.
        n_patches: patches trained on; None: ``passes`` over the set, at most ``most_patches``.
        batch: patches to a step.
        lr: Adam's peak learning rate; None: see `Plan.lr`.
        lr_warmup: steps of linear warm-up; at most a quarter of the run.
        decay: share of the run, at its end, over which the rate falls linearly to 0.
        penalty_warmup: steps over which a penalty grows linearly; at most a quarter of the run.
        aux_weight: weight of the AuxK loss.
        aux_k: unused latents that AuxK takes for each patch; None: the power of two nearest
            to d_model/2.
        aux_after: patches without activity after which AuxK takes a latent; None: as many as
            make it dead.
        init_mix: share of a data point in a decoder row's initial direction, the rest random.
        fit_below: a run of fewer steps starts with its encoder scaled so that the first
            reconstruction errs least; None (and jumprelu always): every run. That explains more
            after few steps; a small dictionary trained for many loses latents by it.
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
    l0: float = 1e-3  # Rajamanoharan et al. 2024: the middle of those swept in Figure 2
    prefixes: tuple[str, ...] = ()
    bandwidth: float = 1e-3  # Rajamanoharan et al. 2024, section 4
    n_patches: int | None = None
    passes: int = 20  # held-out error is flat from 8 to 20 on 250 photographs, fewer latents die
    most_patches: int = 100_000_000  # Stevens et al. 2025, Table A1
    batch: int = 2048  # on 250 photographs better than 4,096 from as many patches
    lr: float | None = None
    lr_warmup: int = 100  # measured on the built-in world
    decay: float = 0.25  # measured on the built-in world
    penalty_warmup: int = 500  # Stevens et al. 2025, the published CLIP dictionary
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
        penalty_warmup=500,
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
