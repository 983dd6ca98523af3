"""ViT-Prisma 2's SAEs by their own `save_model`, every architecture with every normalisation."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import torch

VERSION = "2.0.0"  # of its setup.py; PyPI has 0.1.4, which has no dictionaries


def without_doors(*packages: str) -> None:
    """Make packages importable without running their doors, which import all of its training."""
    root = Path(importlib.util.find_spec("vit_prisma").origin).parent
    for package in packages:
        door = ModuleType(package)
        door.__path__ = [str(root.joinpath(*package.split(".")[1:]))]
        sys.modules[package] = door


without_doors("vit_prisma", "vit_prisma.sae", "vit_prisma.configs", "vit_prisma.prisma_tools")

from vit_prisma.sae.config import VisionModelSAERunnerConfig  # noqa: E402
from vit_prisma.sae.sae import GatedSparseAutoencoder, StandardSparseAutoencoder  # noqa: E402

from tests.foreign.writers.recording import D_MODEL, normal, record  # noqa: E402

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
    # Decoding needs what encoding kept of the patches: both are done in order.
    record(folder, "vit-prisma", lambda x: sae.encode(x)[1], sae.decode, version=VERSION)


main(Path(sys.argv[1]))
