"""Overcomplete's classes, saved as its users do: state dicts, and whole modules."""

import sys
from pathlib import Path

import torch
from overcomplete.sae import SAE, BatchTopKSAE, JumpSAE, TopKSAE
from overcomplete.sae.rasae import RATopKSAE

from tests.foreign.writers.recording import D_MODEL, N_LATENTS, normal, patches, record, rows

POINTS = normal(30, D_MODEL, seed=30)
NORMED = {"encoder_module": "mlp_bn_1"}
VARIANTS = {
    "relu": lambda: SAE(D_MODEL, N_LATENTS),
    "batch-norm": lambda: SAE(D_MODEL, N_LATENTS, **NORMED),
    "layer-norm": lambda: SAE(D_MODEL, N_LATENTS, encoder_module="mlp_ln_1"),
    "deep": lambda: SAE(D_MODEL, N_LATENTS, encoder_module="mlp_bn_3"),
    "identity": lambda: SAE(
        D_MODEL, N_LATENTS, dictionary_params={"normalization": "identity", "use_multiplier": True}
    ),
    "max-l2": lambda: TopKSAE(
        D_MODEL, N_LATENTS, top_k=4, dictionary_params={"normalization": "max_l2"}
    ),
    "topk": lambda: TopKSAE(D_MODEL, N_LATENTS, top_k=4),
    "jump": lambda: JumpSAE(D_MODEL, N_LATENTS),
    "batchtopk": lambda: BatchTopKSAE(D_MODEL, N_LATENTS, top_k=40),
    "archetypal": lambda: RATopKSAE(D_MODEL, N_LATENTS, points=POINTS, top_k=4, delta=0.5),
    "tied": lambda: SAE(D_MODEL, N_LATENTS).tied(bias=True),
    "untied": lambda: SAE(D_MODEL, N_LATENTS).untied(),
}


def fill(module: torch.nn.Module) -> None:
    for number, (name, parameter) in enumerate(module.named_parameters()):
        if name == "dictionary._weights":
            parameter.data = rows(3).clone()
        elif name == "dictionary.multiplier":
            parameter.data = torch.tensor(0.4)
        elif name == "thresholds":
            parameter.data = normal(N_LATENTS, seed=5) / 2
        elif name == "dictionary.W":
            parameter.data = normal(*parameter.shape, seed=6).abs()
        else:
            spread = 1.0 if parameter.ndim == 2 else 1 / 3
            parameter.data = spread * normal(*parameter.shape, seed=number + 10)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(normal(*buffer.shape, seed=8) / 2)
        if name.endswith("running_var"):
            buffer.copy_(normal(*buffer.shape, seed=9).abs() + 0.5)


def main(out: Path) -> None:
    for variant, make in VARIANTS.items():
        module = make()
        fill(module)
        module.train()
        if variant == "batchtopk":
            module.encode(patches(98))  # estimates the running threshold
        if variant == "archetypal":
            module.get_dictionary()
        folder = out / variant
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(module.state_dict(), folder / "state.pt")
        torch.save(module, folder / "module.pth")
        module.eval()
        if variant == "tied":
            module.encoder.tied_to.eval()
        record(folder, "Overcomplete", lambda x, one=module: one.encode(x)[1], module.decode)
        if variant == "batchtopk":
            (folder / "threshold.txt").write_text(f"{float(module.running_threshold)!r}\n")


main(Path(sys.argv[1]))
