"""Where the built-in CLIP reads its answer: counterfactual twins' tokens swapped at layer -2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import open_clip
import torch
from torch import Tensor, nn
from torch.nn import functional

from saecli.demo.backbones.inputs import to_input
from saecli.demo.world import SPECIES, Picture, render

Edit = Callable[[Tensor], Tensor]


def twins(species: str, n: int, seed: int) -> tuple[list[Picture], list[Picture]]:
    """Pictures of a species, and the same ones with its twin's value of their one attribute."""
    bird = SPECIES[species]
    swapped = {bird.attribute: SPECIES[bird.twin].attributes[bird.attribute]}
    pictures = [render(seed, index, species=species) for index in range(n)]
    return pictures, [
        render(seed, index, species=species, counterfactual=swapped) for index in range(n)
    ]


@contextmanager
def _before_last_block(model: open_clip.CLIP, edit: Edit) -> Iterator[None]:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (edit(inputs[0]), *inputs[1:])

    handle = model.visual.transformer.resblocks[-1].register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def swap_answers(
    model: open_clip.CLIP, texts: Tensor, originals: list[Picture], others: list[Picture]
) -> dict[str, Tensor]:
    """The nearest text for pictures as they are, and with tokens of their twins.

    Args:
        model: the CLIP, in evaluation mode.
        texts: (T, embed_dim), of unit norm.
        originals: N pictures.
        others: their twins, in the same order.

    Returns:
        (N,) int64 each: `original`, `twin` (the twin as it is), `patches` (the twin's patch
        tokens and the picture's own class token at layer -2) and `class_token` (the reverse).
    """
    theirs: list[Tensor] = []

    def keep(tokens: Tensor) -> Tensor:
        theirs.append(tokens)
        return tokens

    def answer(pictures: list[Picture], edit: Edit) -> Tensor:
        with _before_last_block(model, edit):
            images = model.encode_image(to_input(np.stack([p.image for p in pictures])))
        return (functional.normalize(images, dim=-1) @ texts.T).argmax(1)

    twin = answer(others, keep)
    return {
        "original": answer(originals, lambda tokens: tokens),
        "twin": twin,
        "patches": answer(
            originals, lambda tokens: torch.cat([tokens[:, :1], theirs[0][:, 1:]], 1)
        ),
        "class_token": answer(
            originals, lambda tokens: torch.cat([theirs[0][:, :1], tokens[:, 1:]], 1)
        ),
    }


def swap_scores(
    model: open_clip.CLIP, texts: Tensor, n: int, seed: int
) -> dict[str, dict[str, float]]:
    """Of the pictures that are named rightly, the share that a swap turns into the twin.

    Args:
        model: the CLIP.
        texts: (24, embed_dim), of unit norm: the prompts of `SPECIES`, in its order.
        n: pictures of each species.
        seed: of the pictures.

    Returns:
        For `blue jay` alone and for `all` 24 species together: the shares `patches`,
        `class_token` and `twin`, see `swap_answers`.
    """
    model.eval()
    names = list(SPECIES)
    right: dict[str, list[Tensor]] = {}
    for species, bird in SPECIES.items():
        answers = swap_answers(model, texts, *twins(species, n, seed))
        named = answers["original"] == names.index(species)
        for swap in ("patches", "class_token", "twin"):
            flipped = answers[swap][named] == names.index(bird.twin)
            right.setdefault(swap, []).append(flipped.float())
    jay = names.index("blue jay")
    return {
        "blue jay": {swap: float(parts[jay].mean()) for swap, parts in right.items()},
        "all": {swap: float(torch.cat(parts).mean()) for swap, parts in right.items()},
    }
