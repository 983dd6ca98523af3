"""A small catalog with something of everything, made through the public functions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saecli.catalog.artifacts import store_artifact
from saecli.catalog.backbones import BackboneInfo, add_backbone
from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.images import ImageSetInfo, Picture, record_image_set
from saecli.catalog.opening import Catalog
from saecli.catalog.profiles import ProfileInfo
from saecli.catalog.profiling import ExemplarArrays, ProfileArrays, store_profile
from saecli.catalog.training import add_training_points, begin_dictionary, publish_dictionary
from saecli.grid import Grid

N_LATENTS = 24
N_IMAGES = 30
GRID = Grid(3, 4)


@dataclass(frozen=True)
class Content:
    """What ``fill`` wrote."""

    invocation: int
    backbone: BackboneInfo
    clip: DictionaryInfo
    photos: ImageSetInfo
    profile: ProfileInfo
    arrays: ProfileArrays


def fill(catalog: Catalog) -> Content:
    """A backbone, the dictionary `clip`, the image set `photos` and a profile."""
    with catalog.begin("train", ["--name", "clip"], {"k": 4}, seed=0) as invocation:
        with catalog.writing() as session:
            backbone = backbone_row(session, invocation.id)
        clip = train(catalog, invocation.id, backbone, "clip", b"checkpoint of clip")
        photos = record_image_set(
            catalog,
            invocation.id,
            name="photos",
            root="/pictures",
            pictures=pictures(N_IMAGES),
            skipped=[("broken.jpg", "truncated")],
        )
        arrays = random_arrays()
        profile = store_profile(
            catalog,
            invocation.id,
            dictionary=clip,
            image_set=photos,
            arrays=arrays,
            settings={"n_exemplars": 4},
            seconds=1.5,
        )
    return Content(invocation.id, backbone, clip, photos, profile, arrays)


def backbone_row(session, invocation: int, digest: str = "d" * 64, **changes) -> BackboneInfo:
    values = {
        "digest": digest,
        "name": "clip:tiny",
        "family": "clip",
        "source": "/models/tiny",
        "d_model": 8,
        "n_blocks": 4,
        "grid": GRID,
        "image_transform": "{}",
    }
    return add_backbone(session, invocation, **{**values, **changes})


def train(
    catalog: Catalog,
    invocation: int,
    backbone: BackboneInfo,
    name: str,
    checkpoint: bytes,
    **draft,
) -> DictionaryInfo:
    with catalog.writing() as session:
        number = begin_dictionary(
            session,
            invocation,
            name=name,
            backbone=backbone,
            layer=2,
            activation="topk",
            settings={"k": 4},
            **{"n_latents": N_LATENTS} | draft,
        )
    with catalog.writing() as session:
        add_training_points(
            session, number, [{"step": 100, "patches_seen": 6400, "l0": 4.0, "loss": 0.5}]
        )
    with catalog.writing() as session:
        return publish_dictionary(
            session,
            number,
            checkpoint=store_artifact(session, invocation, checkpoint, "checkpoint"),
            explained_variance=0.9,
            l0=4.0,
            dead_fraction=0.0,
            patches_seen=6400,
            seconds=2.0,
        )


def pictures(n: int, folder: Path = Path("/pictures")) -> list[Picture]:
    return [
        Picture(
            name=f"{i:03}.jpg",
            path=str(folder / f"{i:03}.jpg"),
            sha256=f"{i:064x}",
            width=40 + i,
            height=30,
            label="odd" if i % 2 else "even",
            thumbnail=b"thumbnail %d" % i,
        )
        for i in range(n)
    ]


def random_arrays(n_latents: int = N_LATENTS, n_images: int = N_IMAGES, seed: int = 0):
    """A profile as a pass over random activations would find it; the last latent never fires."""
    rng = np.random.default_rng(seed)
    n_active = rng.integers(1, 100, n_latents)
    n_active[-1] = 0
    total = rng.random(n_latents) * n_active
    histogram = rng.integers(0, 9, (n_latents, 6))
    return ProfileArrays(
        n_images=n_images,
        n_patches=n_images * GRID.n_patches,
        n_active=n_active,
        total=total,
        maximum=np.where(n_active > 0, rng.random(n_latents).astype(np.float32) + 1, 0),
        histogram=histogram,
        edges=np.linspace(0, 3, 7, dtype=np.float32),
        exemplars={
            kind: random_exemplars(rng, n_latents, n_images, r)
            for kind, r in (("top", 5), ("quantile", 3), ("random", 4))
        },
        signature_positions=np.arange(0, n_images, 2),
        signature=rng.random((n_latents, len(range(0, n_images, 2)))).astype(np.float16),
    )


def random_exemplars(rng, n_latents: int, n_images: int, r: int) -> ExemplarArrays:
    """``r`` exemplars of each latent with maps; the last latent has none, the first one less."""
    image = np.stack([rng.permutation(n_images)[:r] for _ in range(n_latents)]).astype(np.int32)
    image[-1] = -1
    image[0, -1] = -1
    dense = rng.random((n_latents, r, GRID.n_patches)).astype(np.float32) * 5
    dense[dense < 3] = 0
    dense[image < 0] = 0
    dense[..., 0] = np.where(image < 0, 0, 4)  # at least one active patch
    rows, patches = np.nonzero(dense.reshape(-1, GRID.n_patches))
    return ExemplarArrays(
        image=image,
        patch=dense.argmax(-1),
        activation=dense.max(-1),
        map_offsets=np.concatenate([[0], np.cumsum(np.count_nonzero(dense, axis=-1).ravel())]),
        map_patches=patches.astype(np.uint16),
        map_values=dense.reshape(-1, GRID.n_patches)[rows, patches],
    )


def dense_map(exemplars: ExemplarArrays, latent: int, rank: int) -> np.ndarray:
    """One exemplar's map on all patches, straight from the arrays."""
    at = latent * exemplars.image.shape[1] + rank
    entries = slice(exemplars.map_offsets[at], exemplars.map_offsets[at + 1])
    dense = np.zeros(GRID.n_patches, np.float32)
    dense[exemplars.map_patches[entries]] = exemplars.map_values[entries]
    return dense
