"""The towers of an open_clip model run block by block, as training needs them.

open_clip's own blocks use PyTorch's fused attention, whose bfloat16 backward pass is five
times slower on a CPU than these plain products (180 against 35 ms for 144 pictures of 99
tokens). In evaluation mode and float32 the results are the library's.
"""

from __future__ import annotations

import open_clip
import torch
from torch import Tensor, nn
from torch.nn import functional


def shuffle_class_tokens(tokens: Tensor, share: float) -> Tensor:
    """Give a random share of the pictures another picture's class token.

    Done before the last block, it leaves the patches as the one reliable source of the
    answer: the last block must read them, so that an edit of the patches at layer -2 can
    change the answer. A small vision transformer trained without it reads colours into the
    class token in its early blocks.

    Args:
        tokens: (B, 1 + P, D), the class token first.
        share: the probability of a picture to lose its own, 0-1.
    """
    n = len(tokens)
    if share == 0 or n < 2:
        return tokens
    others = (torch.arange(n) + int(torch.randint(1, n, ()))) % n
    lost = (torch.rand(n) < share)[:, None, None]
    first = torch.where(lost, tokens[others, :1], tokens[:, :1])
    return torch.cat([first, tokens[:, 1:]], 1)


def _attend(attention: nn.MultiheadAttention, x: Tensor, mask: Tensor | None) -> Tensor:
    b, n, d = x.shape
    heads = attention.num_heads
    packed = functional.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = packed.view(b, n, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    scores = (q * (d // heads) ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores + mask
    mixed = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(b, n, d)
    out: Tensor = attention.out_proj(mixed)
    return out


def run_block(block: nn.Module, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """One `ResidualAttentionBlock` of open_clip, (B, N, D) to (B, N, D)."""
    x = x + _attend(block.attn, block.ln_1(x), mask)  # type: ignore[arg-type, operator]
    out: Tensor = x + block.mlp(block.ln_2(x))  # type: ignore[operator]
    return out


def _keep(x: Tensor, share: float) -> Tensor:
    """A random share of the patch tokens of each picture, and all class tokens (FLIP)."""
    if share == 1:
        return x
    n = x.shape[1] - 1
    kept = torch.rand(len(x), n).topk(round(n * share), 1).indices
    patches = torch.gather(x[:, 1:], 1, kept[..., None].expand(-1, -1, x.shape[2]))
    return torch.cat([x[:, :1], patches], 1)


def image_features(
    model: open_clip.CLIP, images: Tensor, *, kept: float = 1.0, shuffled: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Embeddings of pictures, and their patches at layer -2.

    Args:
        model: with the ordinary vision transformer (class token pooled).
        images: (B, 3, H, W), normalised.
        kept: share of the patch tokens that are encoded; Li et al. 2023, FLIP,
            arXiv 2212.00794.
        shuffled: see `shuffle_class_tokens`.

    Returns:
        (B, embed_dim), not normalised, and (B, P * kept, D), the output of the last block but
        one without its class token.
    """
    visual = model.visual
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    first = visual.class_embedding.to(x.dtype).expand(len(x), 1, -1)
    x = torch.cat([first, x], 1) + visual.positional_embedding.to(x.dtype)
    x = visual.ln_pre(_keep(x, kept))
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        x = run_block(block, x)
    pooled = visual.ln_post(run_block(last, shuffle_class_tokens(x, shuffled))[:, 0])
    embedded: Tensor = pooled @ visual.proj
    return embedded, x[:, 1:]


def text_features(model: open_clip.CLIP, tokens: Tensor) -> Tensor:
    """Embeddings of texts, (T, context) int64 to (T, embed_dim), not normalised.

    Padding behind the longest text is cut off: attention is causal, so nothing sees it.
    """
    ends = tokens.argmax(1)
    length = int(ends.max()) + 1
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    for block in model.transformer.resblocks:
        x = run_block(block, x, model.attn_mask[:length, :length])
    pooled: Tensor = model.ln_final(x)[torch.arange(len(x)), ends]
    embedded: Tensor = pooled @ model.text_projection
    return embedded
