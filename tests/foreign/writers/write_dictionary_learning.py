"""dictionary_learning's classes: state dicts as its training saves them, with its `config.json`."""

import json
import sys
from pathlib import Path

import torch
from dictionary_learning import dictionary
from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
from dictionary_learning.trainers.top_k import AutoEncoderTopK

from tests.foreign.writers.recording import D_MODEL, N_LATENTS, normal, record, rows

SIZES = {"activation_dim": D_MODEL, "dict_size": N_LATENTS}
VARIANTS = {
    "standard": dictionary.AutoEncoder(**SIZES),
    "new": dictionary.AutoEncoderNew(**SIZES),
    "gated": dictionary.GatedAutoEncoder(**SIZES),
    "jumprelu": dictionary.JumpReluAutoEncoder(**SIZES),
    "topk": AutoEncoderTopK(**SIZES, k=4),
    "batchtopk": BatchTopKSAE(**SIZES, k=4),
    "batchtopk-untrained": BatchTopKSAE(**SIZES, k=4),
    "matryoshka": MatryoshkaBatchTopKSAE(**SIZES, k=4, group_sizes=[4, 6, 10]),
}


def fill(variant: str, ae: torch.nn.Module) -> None:
    """Random weights in whatever the class has; decoder rows of different lengths."""
    for number, (name, parameter) in enumerate(ae.named_parameters()):
        if name == "decoder.weight":
            parameter.data = rows(3).T.clone()
        elif name == "W_dec":
            parameter.data = rows(3).clone()
        elif name == "threshold":
            parameter.data = normal(N_LATENTS, seed=20).abs()
        else:
            spread = 1.0 if parameter.ndim == 2 else 1 / 3
            parameter.data = spread * normal(*parameter.shape, seed=number + 10)
    if variant in ("batchtopk", "matryoshka"):
        ae.threshold = torch.tensor(0.8)


def main(out: Path) -> None:
    for variant, ae in VARIANTS.items():
        fill(variant, ae)
        folder = out / variant
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(ae.state_dict(), folder / "ae.pt")
        trainer = {"dict_class": type(ae).__name__, **SIZES, "layer": 5}
        trainer |= {"submodule_name": "resid_post_layer_5", "lm_name": "tiny"}
        config = json.dumps({"trainer": trainer, "buffer": {}}, indent=1) + "\n"
        (folder / "config.json").write_text(config)
        record(folder, "dictionary-learning", ae.encode, ae.decode)
    interrupted(out / "interrupted")


def interrupted(folder: Path) -> None:
    """What an interrupted, normalised run leaves: its own units, the factor beside."""
    factor = 2.5
    ae = BatchTopKSAE(**SIZES, k=4)
    fill("batchtopk", ae)
    state = {name: value.clone() for name, value in ae.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    saved = {"step": 7, "ae": state, "optimizer": {}, "config": {}, "norm_factor": factor}
    torch.save(saved, folder / "ae.pt")
    trainer = {"dict_class": "BatchTopKSAE", **SIZES, "layer": 5}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer}, indent=1) + "\n")
    ae.scale_biases(factor)
    record(folder, "dictionary-learning", ae.encode, ae.decode)


main(Path(sys.argv[1]))
