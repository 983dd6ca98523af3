"""ViT-Prisma 2's SAEs by their own `save_model`, every architecture with every normalisation."""

import sys
from pathlib import Path

import torch
from vit_prisma.sae.config import VisionModelSAERunnerConfig
from vit_prisma.sae.sae import GatedSparseAutoencoder, StandardSparseAutoencoder

from tests.foreign.writers.recording import D_MODEL, normal, record

KINDS = {
    "standard": {"architecture": "standard", "activation_fn_str": "relu"},
    "topk": {
        "architecture": "standard",
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 4},
    },
    "gated": {"architecture": "gated", "activation_fn_str": "relu"},
}
RULES = ("none", "layer_norm", "constant_norm_rescale")
EXPANSION = 3


def main(out: Path) -> None:
    for kind, settings in KINDS.items():
        for rule in RULES:
            write(out / f"{kind}-{rule}".replace("_", "-"), settings, rule)
    tanh = {"architecture": "standard", "activation_fn_str": "tanh-relu"}
    write(out / "tanh-relu", tanh, "none")


def write(folder: Path, settings: dict, rule: str) -> None:
    config = VisionModelSAERunnerConfig(
        d_in=D_MODEL,
        expansion_factor=EXPANSION,
        normalize_activations=rule,
        hook_point_layer=5,
        layer_subtype="hook_resid_post",
        model_name="tiny",
        use_patches_only=True,
        _device="cpu",
        log_to_wandb=False,
        **settings,
    )
    gated = settings["architecture"] == "gated"
    sae = (GatedSparseAutoencoder if gated else StandardSparseAutoencoder)(config)
    n_latents = D_MODEL * EXPANSION
    for number, (name, parameter) in enumerate(sae.named_parameters()):
        if name == "W_dec":
            lengths = torch.linspace(0.3, 2.5, n_latents)[:, None]
            parameter.data = normal(n_latents, D_MODEL, seed=3) * lengths
        else:
            spread = 1.0 if parameter.ndim == 2 else 1 / 3
            parameter.data = spread * normal(*parameter.shape, seed=number + 10)
    sae.save_model(str(folder / "n_images_7.pt"))
    config.save_config(str(folder / "config.json"))
    record_with_norms(folder, sae)


def record_with_norms(folder: Path, sae: torch.nn.Module) -> None:
    """Decoding needs what encoding kept of the patches, so both are done in order."""
    record(folder, "torch", lambda x: sae.encode(x)[1], sae.decode)


main(Path(sys.argv[1]))
