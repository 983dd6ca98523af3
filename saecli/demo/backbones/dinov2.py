"""Train the built-in DINOv2-architecture model from scratch: pictures alone, no labels.

The objective is not DINO's self-distillation but a contrast of two views, with the masked
reconstruction of pixels; it needs no teacher, and learns in minutes on one CPU core.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model

from saecli.demo.backbones.evaluation import patch_scores
from saecli.demo.backbones.inputs import MEAN, STD, to_input
from saecli.demo.backbones.pictures import open_pool
from saecli.demo.backbones.runs import Run, parameter_groups, save_half
from saecli.demo.backbones.towers import run_block, shuffle_class_tokens
from saecli.demo.backbones.views import Views, ViewSettings, cut_views, same_places
from saecli.demo.world import IMAGE_SIZE


@dataclass(frozen=True)
class Dinov2Settings:
    """How the label-free model is trained.

    Attributes:
        minutes: CPU minutes to spend; what the shipped weights took.
        width: of the model.
        layers: its blocks.
        heads: its attention heads.
        patch: side of a patch, pixels.
        batch: pictures a step, two views each.
        chunk: views that pass the model at a time, so that they fit the cache.
        rate: highest learning rate (AdamW, betas 0.9, 0.98).
        decay: weight decay of matrices.
        warmup: steps until the highest rate.
        final_rate: last rate as a share of the highest.
        clip_norm: largest norm of the gradient.
        kept: share of a view's patches that are encoded.
        hidden: patches of each view to reconstruct from those.
        decoder: width of the decoder, which is thrown away.
        temperature: of the contrast of views.
        reconstruction: weight of the reconstruction.
        dense: weight of the contrast of patches.
        dense_pairs: patches in it a step.
        dense_temperature: its temperature.
        shuffled: share of views whose class token is shuffled before the last block.
        views: how the views are cut.
        seed: of weights, batches and views.
    """

    minutes: float = 37.0
    width: int = 128
    layers: int = 6
    heads: int = 4
    patch: int = 7
    batch: int = 96
    chunk: int = 48
    rate: float = 1e-3
    decay: float = 0.05
    warmup: int = 100
    final_rate: float = 0.01
    clip_norm: float = 1.0
    kept: float = 0.42
    hidden: int = 48
    decoder: int = 96
    temperature: float = 0.15
    reconstruction: float = 5.0
    dense: float = 0.5
    dense_pairs: int = 768
    dense_temperature: float = 0.2
    shuffled: float = 0.9
    views: ViewSettings = field(default_factory=ViewSettings)
    seed: int = 0


def new_model(settings: Dinov2Settings) -> Dinov2Model:
    """The model with random weights.

    Its attention is the plain one: the fused one's bfloat16 backward pass is slow on a CPU.
    """
    torch.manual_seed(settings.seed)
    config = Dinov2Config(
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        mlp_ratio=4,
        image_size=IMAGE_SIZE,
        patch_size=settings.patch,
        layerscale_value=1.0,
        attn_implementation="eager",
    )
    return Dinov2Model(config)


class Heads(nn.Module):
    """What training needs beside the model, and throws away: projections and a decoder."""

    def __init__(self, settings: Dinov2Settings) -> None:
        super().__init__()
        width, narrow = settings.width, settings.decoder
        n_patches = (IMAGE_SIZE // settings.patch) ** 2
        self.view = nn.Sequential(nn.Linear(width, 256), nn.GELU(), nn.Linear(256, 64))
        self.place = nn.Linear(width, 64)
        self.narrow = nn.Linear(width, narrow)
        self.position = nn.Parameter(0.02 * torch.randn(n_patches, narrow))
        self.missing = nn.Parameter(torch.zeros(narrow))
        self.block = ResidualAttentionBlock(narrow, 3, mlp_ratio=2)
        self.pixels = nn.Linear(narrow, 3 * settings.patch**2)

    def reconstruct(self, tokens: Tensor, kept: Tensor, hidden: Tensor) -> Tensor:
        """The pixels of hidden patches, (B, H, 3 * patch**2), from the encoded ones.

        Args:
            tokens: (B, K, D), the model's final patch tokens.
            kept: (B, K), the places of these patches in the grid.
            hidden: (B, H), the places to fill in.
        """
        seen = self.narrow(tokens) + self.position[kept]
        asked = self.missing + self.position[hidden]
        out: Tensor = self.pixels(
            run_block(self.block, torch.cat([seen, asked], 1))[:, -asked.shape[1] :]
        )
        return out


def encode(model: Dinov2Model, images: Tensor, kept: Tensor, shuffled: float) -> Tensor:
    """The model's final tokens for some patches of each picture, the class token first.

    Args:
        model: see `new_model`.
        images: (B, 3, H, W).
        kept: (B, K), the places of the patches to encode, as He et al. 2022 drop them
            (arXiv 2111.06377, section 3).
        shuffled: see `towers.shuffle_class_tokens`.

    Returns:
        (B, 1 + K, D).
    """
    x = model.embeddings(images)
    patches = torch.gather(x[:, 1:], 1, kept[..., None].expand(-1, -1, x.shape[2]))
    x = torch.cat([x[:, :1], patches], 1)
    *layers, last = model.encoder.layer
    for layer in layers:
        x = layer(x)
    out: Tensor = model.layernorm(last(shuffle_class_tokens(x, shuffled)))
    return out


def to_patches(images: Tensor, size: int) -> Tensor:
    """(B, 3, H, W) to (B, P, 3 * size**2), patches row-major."""
    return functional.unfold(images, size, stride=size).transpose(1, 2)


def pair_loss(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """InfoNCE among both sides of N pairs, each against the other 2N - 2 vectors.

    Source: Chen et al. 2020, SimCLR, arXiv 2002.05709, eq. 1.
    """
    n = len(first)
    both = functional.normalize(torch.cat([first, second]).float(), dim=-1)
    logits = both @ both.T / temperature
    logits.fill_diagonal_(float("-inf"))
    return functional.cross_entropy(logits, (torch.arange(2 * n) + n) % (2 * n))


def losses_of(
    model: Dinov2Model, heads: Heads, images: Tensor, settings: Dinov2Settings
) -> dict[str, Tensor]:
    """The three losses of a batch of pictures, (B, 3, H, W) normalised, not yet weighted."""
    grid = IMAGE_SIZE // settings.patch
    n, n_kept = len(images), round(settings.kept * grid**2)
    first = cut_views(images, grid, settings.views)
    second = cut_views(images, grid, settings.views)
    order = torch.rand(2 * n, grid**2).argsort(1)
    kept, hidden = order[:, :n_kept], order[:, n_kept : n_kept + settings.hidden]
    shown = torch.cat([first.images, second.images])
    tokens = []
    with torch.autocast("cpu", torch.bfloat16):
        for part, places in zip(
            torch.split(shown, settings.chunk), torch.split(kept, settings.chunk), strict=True
        ):
            tokens.append(encode(model, part, places, settings.shuffled).float())
        encoded = torch.cat(tokens)
        drawn = heads.reconstruct(encoded[:, 1:], kept, hidden).float()
        views = heads.view(encoded[:, 0]).float()
        patches = heads.place(encoded[:, 1:]).float()
    wanted = to_patches(shown, settings.patch)
    wanted = torch.gather(wanted, 1, hidden[..., None].expand(-1, -1, wanted.shape[2]))
    return {
        "contrast": pair_loss(views[:n], views[n:], settings.temperature),
        "pixels": functional.smooth_l1_loss(drawn, wanted),
        "dense": _dense_loss(patches, kept, first, second, settings),
    }


def _dense_loss(
    patches: Tensor, kept: Tensor, first: Views, second: Views, settings: Dinov2Settings
) -> Tensor:
    """The contrast of patches of both views that show the same place."""
    n = len(first.images)
    places = torch.cat([first.places, second.places])
    places = torch.gather(places, 1, kept[..., None].expand(-1, -1, 2))
    half_a_patch = settings.patch / IMAGE_SIZE
    picture, left, right = same_places(places[:n], places[n:], half_a_patch)
    some = torch.randperm(len(picture))[: settings.dense_pairs]
    one = patches[:n][picture[some], left[some]]
    other = patches[n:][picture[some], right[some]]
    return pair_loss(one, other, settings.dense_temperature)


def write_folder(model: Dinov2Model, folder: Path) -> None:
    """Write the model as an ordinary transformers folder, weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {**model.config.to_diff_dict(), "architectures": ["Dinov2Model"], "dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    preprocessing = {
        "image_processor_type": "BitImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": IMAGE_SIZE},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
    text = json.dumps(preprocessing, indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(text)
    save_half(model, folder / "model.safetensors")


def train_dinov2(
    settings: Dinov2Settings, work: Path, out: Path, *, report: float = 480.0, probe: int = 320
) -> Path:
    """Train, or go on training, and write the model's folder.

    Args:
        settings: see there.
        work: a folder with the pool (`render_pool`); `dinov2.pt` in it keeps the state, from
            which the same call goes on, `dinov2.deadline` may hold an earlier end (`Clock`).
        out: the model's folder.
        report: seconds between two reports, each with a checkpoint and a fresh model folder.
        probe: birds that a report's probes learn from.

    Returns:
        `out`.
    """
    pool = open_pool(work)
    model = new_model(settings)
    heads = Heads(settings)
    optimizer = torch.optim.AdamW(
        parameter_groups([model, heads], settings.decay), lr=settings.rate, betas=(0.9, 0.98)
    )
    run = Run("dinov2", work, settings, {"model": model, "heads": heads, "optimizer": optimizer})
    everything = [*model.parameters(), *heads.parameters()]
    while True:
        progress = run.clock.tick()
        if run.due(report) or progress >= 1:
            run.save(patch_scores(model.eval(), probe, probe) if run.step else {})
            model.train()
            write_folder(model, out)
        if progress >= 1:
            return out
        run.set_rate(settings.rate, settings.warmup, settings.final_rate)
        rng = np.random.default_rng((settings.seed, run.step))
        chosen = np.sort(rng.choice(len(pool.pixels), settings.batch, replace=False))
        losses = losses_of(model, heads, to_input(pool.pixels[chosen]), settings)
        loss = (
            losses["contrast"]
            + settings.reconstruction * losses["pixels"]
            + settings.dense * losses["dense"]
        )
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(everything, settings.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        run.count(settings.batch, losses)
