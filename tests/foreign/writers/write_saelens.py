"""SAELens' classes by their own `save_model` and `save_inference_model`; and what saecli exported.

With `--check DIR` each folder of an export is loaded by `SAE.load_from_disk`, and its latents and
reconstruction of the patches in `patches.npy` are written beside it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from sae_lens import (
    SAE,
    AbsTopKSAE,
    AbsTopKSAEConfig,
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    GatedSAE,
    GatedSAEConfig,
    JumpReLUSAE,
    JumpReLUSAEConfig,
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
    StandardSAE,
    StandardSAEConfig,
    TopKSAE,
    TopKSAEConfig,
    Transcoder,
    TranscoderConfig,
)
from sae_lens.training.activation_scaler import ActivationScaler, ActivationWhitening

from tests.foreign.writers.recording import D_MODEL, N_LATENTS, normal, record, rows

SIZES = {"d_in": D_MODEL, "d_sae": N_LATENTS}
HOOK = "blocks.5.hook_resid_post"

VARIANTS = {
    "standard": (StandardSAE, StandardSAEConfig(**SIZES)),
    "standard-raw-input": (StandardSAE, StandardSAEConfig(**SIZES, apply_b_dec_to_input=False)),
    "standard-layer-norm": (
        StandardSAE,
        StandardSAEConfig(**SIZES, normalize_activations="layer_norm"),
    ),
    "topk-norm-rescale": (
        TopKSAE,
        TopKSAEConfig(**SIZES, k=4, normalize_activations="constant_norm_rescale"),
    ),
    "jumprelu": (JumpReLUSAE, JumpReLUSAEConfig(**SIZES)),
    "gated": (GatedSAE, GatedSAEConfig(**SIZES)),
    "gated-raw-input": (GatedSAE, GatedSAEConfig(**SIZES, apply_b_dec_to_input=False)),
    "topk": (TopKSAE, TopKSAEConfig(**SIZES, k=4)),
    "topk-rescaled": (TopKSAE, TopKSAEConfig(**SIZES, k=4, rescale_acts_by_decoder_norm=True)),
    "abstopk": (AbsTopKSAE, AbsTopKSAEConfig(**SIZES, k=4)),
    "transcoder": (
        Transcoder,
        TranscoderConfig(**SIZES, d_out=D_MODEL, apply_b_dec_to_input=False),
    ),
}
TRAINED = {
    "batchtopk": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig(**SIZES, k=4)),
    "matryoshka": (
        MatryoshkaBatchTopKTrainingSAE,
        MatryoshkaBatchTopKTrainingSAEConfig(**SIZES, k=4, matryoshka_widths=[6, 12, N_LATENTS]),
    ),
}
SCALED = {"normalize_activations": "expected_average_only_in"}
WHITENED = {"normalize_activations": "covariance_whitening"}


def fill(sae: torch.nn.Module) -> None:
    for number, (name, parameter) in enumerate(sae.named_parameters()):
        if name == "W_dec":
            parameter.data = rows(3)[:, : parameter.shape[1]].clone()
        elif name == "threshold":
            parameter.data = normal(N_LATENTS, seed=20).abs()
        else:
            spread = 1.0 if parameter.ndim == 2 else 1 / 3
            parameter.data = spread * normal(*parameter.shape, seed=number + 10)
    sae.cfg.metadata.hook_name = HOOK
    sae.cfg.metadata.model_name = "tiny"


def write(out: Path) -> None:
    for variant, (kind, config) in VARIANTS.items():
        sae = kind(config)
        fill(sae)
        sae.save_model(out / variant)
        if variant != "transcoder":
            record(out / variant, "sae-lens", sae.encode, sae.decode)
    for variant, (kind, config) in TRAINED.items():
        sae = kind(config)
        fill(sae)
        sae.topk_threshold = torch.tensor(1.3, dtype=sae.topk_threshold.dtype)
        sae.save_inference_model(out / variant)
        final = SAE.load_from_disk(out / variant)
        record(out / variant, "sae-lens", final.encode, final.decode)
        sae.save_model(out / f"{variant}-midway")
        record(out / f"{variant}-midway", "sae-lens", final.encode, final.decode)
    unfolded(out / "scaled-midway", SCALED, ActivationScaler(scaling_factor=0.4))
    matrix = normal(D_MODEL, D_MODEL, seed=40) / 3 + torch.eye(D_MODEL)
    whitening = ActivationWhitening(normal(D_MODEL, seed=41), matrix, torch.linalg.inv(matrix))
    unfolded(out / "whitened-midway", WHITENED, ActivationScaler(whitening=whitening))
    old(out / "before-6")


def unfolded(folder: Path, settings: dict, scaler: ActivationScaler) -> None:
    """A folder of the middle of a run: the normalisation's numbers lie beside the weights."""
    sae = StandardSAE(StandardSAEConfig(**SIZES, **settings))
    fill(sae)
    sae.save_model(folder)
    scaler.save(str(folder / "activation_scaler.json"))
    record(
        folder,
        "sae-lens",
        lambda x: sae.encode(scaler.scale(x)),
        lambda f: scaler.unscale(sae.decode(f)),
    )


def old(folder: Path) -> None:
    """The settings of before 6.0: flat, under other names, topk as an activation function."""
    sae = TopKSAE(TopKSAEConfig(**SIZES, k=4))
    fill(sae)
    sae.save_model(folder)
    config = {
        **SIZES,
        "dtype": "float32",
        "device": "cpu",
        "hook_point": HOOK,
        "model_name": "tiny",
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 4},
        "normalize_activations": "none",
        "apply_b_dec_to_input": True,
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    again = SAE.load_from_disk(folder)
    record(folder, "sae-lens", again.encode, again.decode)


@torch.no_grad()
def check(out: Path) -> None:
    """What the library makes of folders that saecli exported."""
    for folder in sorted(one.parent for one in out.glob("*/cfg.json")):
        sae = SAE.load_from_disk(folder)
        f = sae.encode(torch.from_numpy(np.load(folder / "patches.npy")))
        np.savez(folder / "answered.npz", f=f.numpy(), x_hat=sae.decode(f).numpy())


if sys.argv[1] == "--check":
    check(Path(sys.argv[2]))
else:
    write(Path(sys.argv[1]))
