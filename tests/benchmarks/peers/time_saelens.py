"""SAELens' step: `SAETrainer.step`, with its own autocast for bf16."""

from answering import Order, Steps, answer
from sae_lens import (
    StandardTrainingSAE,
    StandardTrainingSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
)
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor


def prepare(order: Order, x: Tensor) -> Steps:
    shape = {"d_in": x.shape[1], "d_sae": order.n_latents, "device": "cpu"}
    sae = (
        TopKTrainingSAE(TopKTrainingSAEConfig(**shape, k=order.k))
        if order.objective == "topk"
        else StandardTrainingSAE(StandardTrainingSAEConfig(**shape))
    )
    config = SAETrainerConfig(
        total_training_samples=10**9,
        train_batch_size_samples=order.batch,
        lr_end=3e-4,
        autocast=order.bf16,
    )
    trainer = SAETrainer(cfg=config, sae=sae, data_provider=iter([]))

    def steps(batches: list[Tensor]) -> float:
        for x in batches:
            out = trainer.step(x)
            trainer.n_training_steps += 1
        return float(out.loss)

    return steps


answer(prepare)
