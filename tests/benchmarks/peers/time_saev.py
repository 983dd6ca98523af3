"""saev's step: `saev.training.train` for one SAE; the released one knows ReLU only, in float32."""

import torch
from answering import Order, Steps, answer, autocast
from saev import config, nn
from torch import Tensor


def prepare(order: Order, x: Tensor) -> Steps:
    if order.objective != "relu":
        raise SystemExit("saev 0.1.0 has no such objective")
    factor, odd = divmod(order.n_latents, x.shape[1])
    if odd:
        raise SystemExit("saev wants a multiple of the width")
    sae = nn.SparseAutoencoder(config.SparseAutoencoder(d_vit=x.shape[1], exp_factor=factor))
    optimiser = torch.optim.Adam([{"params": sae.parameters(), "lr": 4e-4}], fused=True)

    def steps(batches: list[Tensor]) -> float:
        for x in batches:
            sae.normalize_w_dec()
            with autocast(order):
                _, _, losses = sae(x)
            losses.loss.backward()
            sae.remove_parallel_grads()
            optimiser.step()
            optimiser.zero_grad()
        return float(losses.loss)

    return steps


answer(prepare)
