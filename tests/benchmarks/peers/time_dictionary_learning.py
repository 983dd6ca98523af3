"""dictionary-learning's step: the trainers' `update`.

Its `trainSAE` casts the activations and autocasts for bf16 on CUDA; here the same on the CPU.
"""

import torch
from answering import Order, Steps, answer, autocast
from dictionary_learning.trainers.standard import StandardTrainer
from dictionary_learning.trainers.top_k import TopKTrainer
from torch import Tensor


def prepare(order: Order, x: Tensor) -> Steps:
    shape = {"activation_dim": x.shape[1], "dict_size": order.n_latents}
    named = {"steps": 1_000_000, "layer": 0, "lm_name": "vit", "device": "cpu", "seed": 0}
    trainer = (
        TopKTrainer(**shape, **named, k=order.k)
        if order.objective == "topk"
        else StandardTrainer(**shape, **named)
    )
    done = 0

    def steps(batches: list[Tensor]) -> float:
        nonlocal done
        loss = 0.0
        for x in batches:
            given = x.to(torch.bfloat16) if order.bf16 else x
            with autocast(order):
                loss = trainer.update(done, given)
            done += 1
        return float(loss or 0.0)

    return steps


answer(prepare)
