"""saecli's step: `Member.update`, all of what a run does to a dictionary between two batches."""

import numpy as np
import torch
from answering import Order, Steps, answer
from torch import Tensor

from saecli.sae.member import Member
from saecli.sae.model import Identity
from saecli.sae.objectives import Buffers
from saecli.sae.plan import resolve
from saecli.sae.ranks import ALONE
from saecli.sae.settings import TrainSettings
from saecli.sae.weights import Normalisation

MANY = 1_000_000  # steps of the run that these are the first of


def prepare(order: Order, x: Tensor) -> Steps:
    settings = TrainSettings(
        objective=order.objective,
        latents=str(order.n_latents),
        k=order.k,
        batch=order.batch,
        n_patches=MANY * order.batch,
        lr=1e-9 if order.active else None,  # so that it stays the share
    )
    width = x.shape[1]
    identity = Identity("", "", "", 0, "patches", width, (1, 1))
    plan = resolve(settings, width, MANY * order.batch)
    precision = "bf16" if order.bf16 else "float32"
    member = Member(plan, identity, torch.device("cpu"), precision, Buffers())
    normalisation = Normalisation.estimate(x)
    member.begin(normalisation, x, normalisation.apply(x))
    if order.active:
        weights = member._weights
        a = normalisation.apply(x[: order.batch]) @ weights.W_enc.t()
        weights.b_enc.fill_(-float(np.quantile(a.numpy(), 1 - order.active)))
    done = 0

    def steps(batches: list[Tensor]) -> float:
        nonlocal done
        for x in batches:
            member.update(normalisation.apply(x), done, ALONE, 0.0)
            done += 1
        return member.point(done).loss

    return steps


answer(prepare)
