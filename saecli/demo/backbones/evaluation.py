"""Scores of the built-in backbones on pictures that no training saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Dinov2Model

from saecli.demo.backbones.inputs import to_input
from saecli.demo.backbones.prompts import (
    attribute_prompts,
    concept_prompts,
    ground_prompts,
    species_prompts,
)
from saecli.demo.backbones.swaps import swap_scores
from saecli.demo.world import CLASSES, GROUNDS, IMAGE_SIZE, PARTS, SPECIES, Picture, render

SEED = 900
"""The seed of the evaluation pictures; trainings use seeds from 1000 on."""

Tokenize = Callable[[list[str]], Tensor]


def pictures(kind: str, n: int, seed: int = SEED) -> list[Picture]:
    """So many pictures of a kind."""
    return [render(seed, index, kind=kind) for index in range(n)]


@torch.no_grad()
def embed(model: open_clip.CLIP, shown: Sequence[Picture]) -> Tensor:
    """(N, embed_dim) float32 of unit norm: the pictures' CLIP embeddings."""
    model.eval()
    parts = [
        model.encode_image(to_input(np.stack([p.image for p in shown[start : start + 100]])))
        for start in range(0, len(shown), 100)
    ]
    return functional.normalize(torch.cat(parts), dim=-1)


@torch.no_grad()
def text_directions(model: open_clip.CLIP, tokenize: Tokenize, prompts: Iterable[str]) -> Tensor:
    """(T, embed_dim) float32 of unit norm: the prompts' CLIP embeddings."""
    model.eval()
    return functional.normalize(model.encode_text(tokenize(list(prompts))), dim=-1)


def zero_shot(
    model: open_clip.CLIP, tokenize: Tokenize, images: Tensor, prompts: Mapping[str, str]
) -> list[str]:
    """The name of the nearest prompt for each embedded picture."""
    texts = text_directions(model, tokenize, prompts.values())
    names = list(prompts)
    return [names[i] for i in (images @ texts.T).argmax(1).tolist()]


def _share(pairs: Iterable[tuple[object, object]]) -> float:
    return float(np.mean([a == b for a, b in pairs]))


def zero_shot_scores(
    model: open_clip.CLIP, tokenize: Tokenize, n: int = 2400, seed: int = SEED
) -> dict[str, float]:
    """Shares of right zero-shot answers, on n birds, n / 4 landscapes and n / 4 postcards.

    A ground counts as right if it is the picture's main one.
    """
    birds = pictures("bird", n, seed)
    lands = pictures("landscape", n // 4, seed)
    cards = pictures("postcard", n // 4, seed)
    images = embed(model, [*birds, *lands, *cards])
    of_birds, of_lands, of_cards = torch.split(images, [len(birds), len(lands), len(cards)])

    def right(part: Tensor, prompts: Mapping[str, str], truths: list[str | None]) -> float:
        return _share(zip(zero_shot(model, tokenize, part, prompts), truths, strict=True))

    scores = {"species": right(of_birds, species_prompts(), [b.species for b in birds])}
    for attribute in ("wing", "breast", "head"):
        truths = [b.attributes[attribute] for b in birds]
        scores[attribute] = right(of_birds, attribute_prompts(attribute), [*truths])
    scores["ground"] = right(of_lands, ground_prompts(), [p.habitat for p in lands])
    scores["concept"] = right(of_cards, concept_prompts(), [p.concept for p in cards])
    return scores


PATCH_CLASSES = (*GROUNDS, "bird")
"""What a patch may show, for the segmentation score."""


def patch_labels(shown: Sequence[Picture], side: int) -> Tensor:
    """(N, P) int64: the class in `PATCH_CLASSES` that fills most of each patch, -1 for none.

    Args:
        shown: pictures.
        side: of a patch, pixels.
    """
    of_class = np.full(len(CLASSES), -1)
    for i, name in enumerate(CLASSES):
        if name in PATCH_CLASSES or name in PARTS:
            of_class[i] = PATCH_CLASSES.index(name if name in GROUNDS else "bird")
    masks = torch.from_numpy(of_class[np.stack([p.mask for p in shown])])
    filled = (
        functional.one_hot(masks + 1, len(PATCH_CLASSES) + 1).float()[..., 1:].permute(0, 3, 1, 2)
    )
    share, label = functional.avg_pool2d(filled, side).flatten(2).max(1)
    return torch.where(share > 0.5, label, -1)


@torch.no_grad()
def final_tokens(model: Dinov2Model, shown: Sequence[Picture]) -> Tensor:
    """(N, 1 + P, D) float32: the model's final tokens, the class token first."""
    model.eval()
    images = np.stack([p.image for p in shown])
    parts = [
        model(to_input(images[start : start + 100])).last_hidden_state
        for start in range(0, len(images), 100)
    ]
    return torch.cat(parts)


def linear_probe(x: Tensor, y: Tensor, n_classes: int, penalty: float = 1e-3) -> nn.Linear:
    """Multinomial logistic regression on standardised features, solved by L-BFGS.

    Args:
        x: (N, D) float32.
        y: (N,) int64.
        n_classes: classes.
        penalty: weight of half the squared norm of the weights on standardised features.

    Returns:
        A linear layer that takes the features as they are.
    """
    mean, std = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / std
    head = nn.Linear(x.shape[1], n_classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    solver = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = functional.cross_entropy(head(z), y) + penalty / 2 * head.weight.square().sum()
        torch.autograd.backward(value)
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        head.weight.div_(std)
        head.bias.sub_(head.weight @ mean)
    return head


def species_features(tokens: Tensor) -> Tensor:
    """(N, 2 D): the class token beside the mean of the patches, as DINOv2's linear probe.

    Source: Oquab et al. 2023, arXiv 2304.07193, appendix B.3.
    """
    return torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], 1)


def patch_scores(
    model: Dinov2Model, n_train: int = 4000, n_test: int = 2000, seed: int = SEED
) -> dict[str, float]:
    """Linear probes on the final output of the label-free model.

    `species` on the class token and the mean of the patches, `species_class_token` on the
    class token alone; `mean_iou` of a linear head on each patch over `PATCH_CLASSES`, on
    pictures of the world's own mix. Trained on one seed, tested on another.
    """
    names = list(SPECIES)
    features, wanted, of_patches, labels = [], [], [], []
    for part, n in enumerate((n_train, n_test)):
        birds = pictures("bird", n, seed + part)
        tokens = final_tokens(model, birds)
        features.append(species_features(tokens))
        wanted.append(torch.tensor([names.index(str(b.species)) for b in birds]))
        mixed = [render(seed + 2 + part, index) for index in range(max(n // 4, 40))]
        grids = final_tokens(model, mixed)[:, 1:]
        side = IMAGE_SIZE // round(grids.shape[1] ** 0.5)
        of_patches.append(grids.flatten(0, 1))
        labels.append(patch_labels(mixed, side).flatten())
    scores = {}
    width = features[0].shape[1] // 2
    for name, columns in (("species", slice(None)), ("species_class_token", slice(width))):
        head = linear_probe(features[0][:, columns], wanted[0], len(names))
        answers = head(features[1][:, columns]).argmax(1)
        scores[name] = float((answers == wanted[1]).float().mean())
    known = [label >= 0 for label in labels]
    head = linear_probe(of_patches[0][known[0]], labels[0][known[0]], len(PATCH_CLASSES))
    answers = head(of_patches[1][known[1]]).argmax(1)
    scores["mean_iou"] = mean_iou(answers, labels[1][known[1]], len(PATCH_CLASSES))
    return scores


def mean_iou(answers: Tensor, truths: Tensor, n_classes: int) -> float:
    """The mean over classes of intersection over union, over all patches together."""
    ratios = []
    for c in range(n_classes):
        both = ((answers == c) & (truths == c)).sum()
        either = ((answers == c) | (truths == c)).sum()
        if either:
            ratios.append(float(both / either))
    return float(np.mean(ratios))


def evaluate(clip: Path, dinov2: Path, n: int = 2400, seed: int = SEED) -> dict[str, Any]:
    """Every score of both backbones' folders, loaded by the libraries themselves.

    Args:
        clip: the folder of the CLIP.
        dinov2: the folder of the label-free model.
        n: birds to measure on.
        seed: of the pictures.

    Returns:
        `clip`: `zero_shot` (`zero_shot_scores`) and `swapped` (`swaps.swap_scores`);
        `dinov2`: `patch_scores`.
    """
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{clip}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{clip}")
    texts = text_directions(model, tokenize, species_prompts().values())
    other = Dinov2Model.from_pretrained(dinov2, dtype=torch.float32)
    return {
        "clip": {
            "zero_shot": zero_shot_scores(model, tokenize, n, seed),
            "swapped": swap_scores(model, texts, max(n // 60, 1), seed),
        },
        "dinov2": patch_scores(other, 2 * n, n, seed),
    }
