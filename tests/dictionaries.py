"""Small random dictionaries for tests, and the identity that they claim."""

from dataclasses import replace

import torch

from saecli.sae.model import Activation, Dictionary, Identity

IDENTITY = Identity(
    backbone="clip:tiny",
    backbone_digest="0" * 64,
    image_transform='{"size": 32}',
    layer=1,
    tokens="patches",
    d_model=8,
    grid=(2, 3),
)


def random_dictionary(
    d_model: int = 8,
    n_latents: int = 24,
    activation: Activation = "topk",
    *,
    k: int = 4,
    seed: int = 0,
    identity: Identity = IDENTITY,
    **settings: object,
) -> Dictionary:
    """A dictionary of random weights, with every bias, mean and scale away from its default.

    jumprelu gets a random positive threshold; ``settings`` go to `Dictionary` as they are.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    W_dec = torch.nn.functional.normalize(normal(n_latents, d_model), dim=1)
    if activation == "jumprelu":
        settings.setdefault("threshold", normal(n_latents).abs() / 2)
    return Dictionary(
        W_enc=W_dec.t().contiguous() + normal(d_model, n_latents) / 10,
        b_enc=normal(n_latents) / 10,
        W_dec=W_dec,
        b_dec=normal(d_model) / 10,
        mean=normal(d_model),
        scale=torch.tensor([1.7]),
        activation=activation,
        k=k if activation == "topk" else None,
        identity=replace(identity, d_model=d_model),
        **settings,  # type: ignore[arg-type]
    )
