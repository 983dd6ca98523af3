"""sparsify's SparseCoder by its own `save_to_disk`."""

import sys
from pathlib import Path

import sparsify.sparse_coder
import torch
from sparsify import SparseCoder
from sparsify.config import SparseCoderConfig
from sparsify.utils import eager_decode

from tests.foreign.writers.recording import D_MODEL, N_LATENTS, normal, record, rows

sparsify.sparse_coder.decoder_impl = eager_decode  # the library's own, where there is no GPU

VARIANTS = {
    "topk": {"k": 4, "num_latents": N_LATENTS},
    "by expansion": {"k": 3, "num_latents": 0, "expansion_factor": 2},
    "transcoder": {"k": 4, "num_latents": N_LATENTS, "transcode": True},
    "skip": {"k": 4, "num_latents": N_LATENTS, "skip_connection": True},
    "groupmax": {"k": 4, "num_latents": N_LATENTS, "activation": "groupmax"},
}


def main(out: Path) -> None:
    for variant, settings in VARIANTS.items():
        coder = SparseCoder(D_MODEL, SparseCoderConfig(**settings))
        n = coder.num_latents
        coder.encoder.weight.data = normal(n, D_MODEL, seed=1)
        coder.encoder.bias.data = normal(n, seed=2) / 3
        coder.W_dec.data = rows(3)[:n].clone()
        coder.b_dec.data = normal(D_MODEL, seed=4)
        folder = out / variant.replace(" ", "-") / "layers.5"
        coder.save_to_disk(folder)

        def encode(x: torch.Tensor, coder: SparseCoder = coder) -> torch.Tensor:
            values, latents, _ = coder.encode(x)
            return torch.zeros(len(x), coder.num_latents).scatter_(1, latents, values)

        def decode(f: torch.Tensor, coder: SparseCoder = coder) -> torch.Tensor:
            values, latents = f.topk(coder.cfg.k, dim=1)
            return coder.decode(values, latents)

        record(folder, "eai-sparsify", encode, decode)


main(Path(sys.argv[1]))
