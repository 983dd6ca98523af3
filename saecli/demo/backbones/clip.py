"""Train the built-in CLIP from scratch on one CPU core: pictures and captions, nothing else.

Two additions to plain CLIP make the knock-outs and comparisons of the built-in world have a
known answer; a CLIP of the wide world has neither, and need not behave like this one. The
class token is shuffled before the last block (`towers.shuffle_class_tokens`), and a *dense
concept loss* asks each patch of a postcard for the postcard's concept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from torch import Tensor, nn
from torch.nn import functional

from saecli.demo.backbones.evaluation import zero_shot_scores
from saecli.demo.backbones.inputs import MEAN, STD, to_input
from saecli.demo.backbones.pictures import Pool, open_pool
from saecli.demo.backbones.prompts import concept_prompts, every_prompt
from saecli.demo.backbones.runs import Run, parameter_groups, save_half
from saecli.demo.backbones.tokenizer import write_tokenizer
from saecli.demo.backbones.towers import image_features, text_features
from saecli.demo.world import IMAGE_SIZE


@dataclass(frozen=True)
class ClipSettings:
    """How the CLIP is trained.

    Attributes:
        minutes: CPU minutes to spend; what the shipped weights took.
        width: of both towers and of their common space.
        layers: blocks of the vision tower.
        text_layers: blocks of the text tower.
        context: tokens of a text, start and end included.
        batch: pictures a step.
        chunk: pictures that pass the vision tower at a time, so that they fit the cache.
        rate: highest learning rate (AdamW, betas 0.9, 0.98).
        decay: weight decay of matrices.
        warmup: steps until the highest rate.
        final_rate: last rate as a share of the highest.
        clip_norm: largest norm of the gradient.
        kept: share of the patches encoded (FLIP).
        whole: share of the training, at its end, with all patches.
        shuffled: share of pictures whose class token is shuffled before the last block.
        dense_weight: weight of the dense concept loss.
        dense_patches: patches of each picture in it.
        dense_scale: its logits are this times a cosine; the smaller, the larger a part of
            a patch's activation the concept must be.
        seed: of weights, batches and captions.
    """

    minutes: float = 37.0
    width: int = 128
    layers: int = 6
    text_layers: int = 2
    context: int = 24
    batch: int = 144
    chunk: int = 48
    rate: float = 1e-3
    decay: float = 0.05
    warmup: int = 100
    final_rate: float = 0.01
    clip_norm: float = 1.0
    kept: float = 0.5
    whole: float = 0.15
    shuffled: float = 0.5
    dense_weight: float = 0.7
    dense_patches: int = 24
    dense_scale: float = 8.0
    seed: int = 0


def model_config(settings: ClipSettings, vocabulary: int) -> dict[str, Any]:
    """The `open_clip_config.json` of the model."""
    return {
        "model_cfg": {
            "embed_dim": settings.width,
            "vision_cfg": {
                "image_size": IMAGE_SIZE,
                "layers": settings.layers,
                "width": settings.width,
                "head_width": 32,
                "patch_size": 8,
            },
            "text_cfg": {
                "context_length": settings.context,
                "vocab_size": vocabulary,
                "hf_tokenizer_name": "tokenizer.json",
                "width": settings.width,
                "heads": settings.width // 32,
                "layers": settings.text_layers,
            },
        },
        "preprocess_cfg": {
            "size": IMAGE_SIZE,
            "mode": "RGB",
            "mean": list(MEAN),
            "std": list(STD),
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }


def new_model(settings: ClipSettings, texts: list[str], folder: Path) -> open_clip.CLIP:
    """Write the folder's configuration and tokenizer; a model with random weights for it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = model_config(settings, write_tokenizer(texts, folder))
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    torch.manual_seed(settings.seed)
    return open_clip.CLIP(**config["model_cfg"])


def contrastive_loss(images: Tensor, texts: Tensor, which: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE in which every picture of a caption is that caption's positive.

    Args:
        images: (B, D), of unit norm.
        texts: (T, D), of unit norm, no text twice.
        which: (B,), the text of each picture.
        scale: (), what cosines are multiplied with.

    Source: Radford et al. 2021, arXiv 2103.00020, section 2.3; several positives after Khosla
    et al. 2020, arXiv 2004.11362, eq. 2.
    """
    logits = scale * images @ texts.T  # (B, T)
    positive = functional.one_hot(which, len(texts)).float()
    shares = positive / positive.sum(0)
    of_texts = -(shares * functional.log_softmax(logits, 0)).sum(0)[which]
    return (functional.cross_entropy(logits, which) + of_texts.mean()) / 2


class DenseConcepts(nn.Module):
    """The dense concept loss: each patch of a postcard names the postcard's concept.

    A patch's activation, centred and of unit norm, turned by a fixed random rotation, is
    compared with the concept captions' embeddings; patches of other pictures belong to an
    extra class whose logit is one learned number. There is nothing else to learn here: a
    head that could amplify a faint trace would let the concept stay a faint trace.
    """

    rotation: Tensor

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.none = nn.Parameter(torch.zeros(1))
        self.register_buffer("rotation", torch.linalg.qr(torch.randn(width, width)).Q)

    def forward(self, patches: Tensor, concepts: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy.

        Args:
            patches: (B, P, D).
            concepts: (C, D), the concept captions' embeddings, of unit norm; taken as given.
            labels: (B,), the concept of each picture, or C for none.
        """
        d = patches.shape[-1]
        unit = functional.normalize(functional.layer_norm(patches.float(), (d,)), dim=-1)
        logits = self.scale * (unit @ self.rotation) @ concepts.detach().T
        none = self.none.expand(*logits.shape[:2], 1)
        logits = torch.cat([logits, none], -1)
        return functional.cross_entropy(
            logits.flatten(0, 1), labels.repeat_interleave(patches.shape[1])
        )


def _batches(
    n: int, size: int, seed: int, done: int
) -> Iterator[tuple[Tensor, np.random.Generator]]:
    """Random indices of pictures for each step from a number of steps on, and a generator."""
    while True:
        rng = np.random.default_rng((seed, done))
        yield torch.from_numpy(rng.choice(n, size, replace=False)), rng
        done += 1


def train_clip(
    settings: ClipSettings, work: Path, out: Path, *, report: float = 480.0, probe: int = 240
) -> Path:
    """Train, or go on training, and write the model's folder.

    Args:
        settings: see there.
        work: a folder with the pool (`render_pool`); `clip.pt` in it keeps the state, from
            which the same call goes on, `clip.deadline` may hold an earlier end (`Clock`).
        out: the model's folder.
        report: seconds between two reports, each with a checkpoint and a fresh model folder.
        probe: birds that a report's scores are measured on.

    Returns:
        `out`.
    """
    pool = open_pool(work)
    model = new_model(settings, every_prompt() + [t for c in pool.captions for t in c], out)
    tokenize = open_clip.get_tokenizer(f"local-dir:{out}")
    dense = DenseConcepts(settings.width, settings.dense_scale)
    optimizer = torch.optim.AdamW(
        parameter_groups([model, dense], settings.decay), lr=settings.rate, betas=(0.9, 0.98)
    )
    run = Run("clip", work, settings, {"model": model, "dense": dense, "optimizer": optimizer})
    names = list(concept_prompts())
    concept_tokens = tokenize(list(concept_prompts().values()))
    labels = torch.tensor(
        [len(names) if name is None else names.index(name) for name in pool.concepts]
    )
    known = sorted({text for texts in pool.captions for text in texts})
    number = {text: i for i, text in enumerate(known)}
    tokens = tokenize(known)

    for chosen, rng in _batches(len(labels), settings.batch, settings.seed, run.step):
        progress = run.clock.tick()
        if run.due(report) or progress >= 1:
            scores = zero_shot_scores(model.eval(), tokenize, probe) if run.step else {}
            model.train()
            run.save(scores)
            save_half(model, out / "open_clip_model.safetensors")
        if progress >= 1:
            break
        run.set_rate(settings.rate, settings.warmup, settings.final_rate)
        texts = [number[_one_of(pool, int(i), rng)] for i in chosen]
        unique, which = torch.unique(torch.tensor(texts), return_inverse=True)
        kept = settings.kept if progress < 1 - settings.whole else 1.0
        losses = _losses(
            model,
            dense,
            to_input(pool.pixels[chosen.numpy()]),
            torch.cat([tokens[unique], concept_tokens]),
            which,
            labels[chosen],
            settings,
            kept,
        )
        loss = losses["contrast"] + settings.dense_weight * losses["dense"]
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        model.logit_scale.data.clamp_(max=np.log(100))
        run.count(settings.batch, losses)
    return out


def _one_of(pool: Pool, index: int, rng: np.random.Generator) -> str:
    captions = pool.captions[index]
    return captions[int(rng.integers(len(captions)))]


def _losses(
    model: open_clip.CLIP,
    dense: DenseConcepts,
    images: Tensor,
    tokens: Tensor,
    which: Tensor,
    labels: Tensor,
    settings: ClipSettings,
    kept: float,
) -> dict[str, Tensor]:
    """Both losses of a batch; the tokens of the concept prompts are the last ones."""
    features, patches = [], []
    with torch.autocast("cpu", torch.bfloat16):
        for chunk in torch.split(images, settings.chunk):
            feature, patch = image_features(model, chunk, kept=kept, shuffled=settings.shuffled)
            features.append(feature.float())
            picked = torch.randperm(patch.shape[1])[: settings.dense_patches]
            patches.append(patch[:, picked].float())
        texts = text_features(model, tokens).float()
    seen = functional.normalize(torch.cat(features), dim=-1)
    told = functional.normalize(texts, dim=-1)
    n_texts = int(which.max()) + 1
    return {
        "contrast": contrastive_loss(seen, told[:n_texts], which, model.logit_scale.exp()),
        "dense": dense(torch.cat(patches), told[n_texts:], labels),
    }
