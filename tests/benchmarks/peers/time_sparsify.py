"""sparsify's step: `sparsify.trainer.Trainer.fit` for one SAE, without the language model.

Its bf16 is an autocast around the forward pass, which it switches on for CUDA; here for the CPU.
Without a GPU its decoder is the eager one. Its default optimiser is signum; Adam is its other.
"""

import os

os.environ["SPARSIFY_DISABLE_TRITON"] = "1"

import torch
from answering import Order, Steps, answer, autocast
from schedulefree import ScheduleFreeWrapper
from sparsify.config import SparseCoderConfig
from sparsify.sign_sgd import SignSGD
from sparsify.sparse_coder import SparseCoder
from torch import Tensor


def prepare(order: Order, x: Tensor) -> Steps:
    config = SparseCoderConfig(num_latents=order.n_latents, k=order.k)
    sae = SparseCoder(x.shape[1], config, "cpu", dtype=torch.float32)
    sae.b_dec.data = x[: order.batch].mean(0)
    groups = [{"params": sae.parameters(), "lr": 5e-3 / (sae.num_latents / 2**14) ** 0.5}]
    if order.optimiser == "adam":
        groups[0]["lr"] = 2e-4 / (sae.num_latents / 2**14) ** 0.5
        optimiser = torch.optim.Adam(groups)
    else:
        optimiser = ScheduleFreeWrapper(SignSGD(groups), momentum=0.95)
        optimiser.train()
    since_fired = torch.zeros(sae.num_latents, dtype=torch.long)
    fired = torch.zeros(sae.num_latents, dtype=torch.bool)

    def steps(batches: list[Tensor]) -> float:
        fvu = 0.0
        for x in batches:
            sae.set_decoder_norm_to_unit_norm()
            total_variance = (x - x.mean(0)).pow(2).sum()
            with autocast(order):
                out = sae(x=x, y=x, dead_mask=None, total_variance=total_variance)
            fired[out.latent_indices.flatten()] = True
            fvu = float(out.fvu.detach())
            (out.fvu + 0 * out.auxk_loss + out.multi_topk_fvu / 8).backward()
            sae.remove_gradient_parallel_to_decoder_directions()
            optimiser.step()
            optimiser.zero_grad()
            with torch.no_grad():
                since_fired.add_(len(x))
                since_fired[fired] = 0
                fired.zero_()
        return fvu

    return steps


answer(prepare)
