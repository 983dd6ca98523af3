"""How CLIP reads words and pictures: embeddings of unit length, a picture's by its thumbnail."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.finding import PlacedPicture
from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.progress import Progress
from saecli.workflows.places import cache_folder

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone

TEMPLATES = ("{}", "a photo of a {}", "a photo of {}", "a picture with {}")
"""Their mean is what the words mean (prompt ensembling, Radford et al. 2021, section 3.1.4)."""
BATCH = 64


def text_embedding(backbone: "Backbone", words: str) -> NDArray[np.float32]:
    """(E,), the words' embedding, of unit length."""
    import torch

    with torch.no_grad():
        found = backbone.encode_text([one.replace("{}", words.strip()) for one in TEMPLATES])
        unit = torch.nn.functional.normalize(found.float(), dim=-1).mean(dim=0)
        mean = torch.nn.functional.normalize(unit, dim=-1).cpu()
    text: NDArray[np.float32] = mean.numpy()
    return text


def embed_pictures(
    backbone: "Backbone",
    pictures: Sequence[PlacedPicture],
    small: dict[int, bytes],
    progress: Progress,
) -> NDArray[np.float32]:
    """(n, E), of unit length, of the pictures' thumbnails; kept in the user's cache."""
    digest = hashlib.sha256(backbone.digest.encode())
    for one in pictures:
        digest.update(one.sha256.encode())
        digest.update(hashlib.sha256(small[one.image_id]).digest())
    path = cache_folder() / "meaning" / f"{digest.hexdigest()[:32]}.npy"
    kept = _kept(path, len(pictures))
    if kept is not None:
        return kept
    found = embed(backbone, [small[one.image_id] for one in pictures], progress)
    with write_whole(path) as file:
        np.save(file, found, allow_pickle=False)
    return found


def _kept(path: Path, n: int) -> NDArray[np.float32] | None:
    try:
        found: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or cut short by something else
        return None
    return found if found.ndim == 2 and len(found) == n else None


def embed(backbone: "Backbone", thumbs: Sequence[bytes], progress: Progress) -> NDArray[np.float32]:
    """(n, E) CLIP embeddings of unit length, of pictures given as bytes."""
    import torch
    from PIL import Image

    last = backbone.n_blocks - 1
    parts = []
    with torch.no_grad(), progress.task("pictures read by CLIP", len(thumbs), "images") as task:
        for start in range(0, len(thumbs), BATCH):
            images = [
                Image.open(io.BytesIO(one)).convert("RGB") for one in thumbs[start : start + BATCH]
            ]
            pixels = torch.stack([backbone.preprocess(image) for image in images])
            final = backbone.resume(backbone.record(pixels, last), last, patches=False)
            if final.embedding is None:
                raise SaecliError(
                    f"{backbone.name} has no text tower", "name a CLIP with --clip", usage=True
                )
            unit = torch.nn.functional.normalize(final.embedding.float(), dim=-1)
            parts.append(unit.cpu().numpy())
            task.advance(len(images))
    return np.concatenate(parts)
