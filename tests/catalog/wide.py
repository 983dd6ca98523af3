"""Dictionaries of the size that people train, generated: 24,576 latents with 16 exemplars each."""

import numpy as np

from saecli.catalog.artifacts import store_artifact
from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.images import ImageSetInfo
from saecli.catalog.labels import add_label
from saecli.catalog.opening import Catalog
from saecli.catalog.profiling import ExemplarArrays, ProfileArrays, store_profile
from saecli.catalog.training import begin_dictionary, publish_dictionary
from saecli.grid import CoarseMaps
from saecli.refs import Concept
from tests.catalog.content import backbone_row

N_LATENTS = 24_576
N_IMAGES = 20_000
N_EXEMPLARS = 16
N_ACTIVE = 12  # patches of each map
N_SIGNATURE = 1024
N_CELLS = 16
SHARED = 0.25  # of the latents have a like one in every dictionary, at the same number
N_LABELS = 500


def coarse_maps(seed: int, n_latents: int = N_LATENTS, n_images: int = N_SIGNATURE) -> CoarseMaps:
    """Where latents fire: on 1 to 400 pictures, heavy-tailed, some cells of each.

    The first ``SHARED`` of the latents fire alike for every seed, up to a fifth of their entries.
    """
    rng, common = np.random.default_rng([seed, 1]), np.random.default_rng(0)
    n_shared = int(SHARED * n_latents)
    parts = []
    for draw, first, stop in ((common, 0, n_shared), (rng, n_shared, n_latents)):
        n_active = np.exp(draw.normal(np.log(60), 1.2, stop - first)).clip(1, 400).astype(int)
        latent = np.repeat(np.arange(first, stop), n_active)
        image = draw.integers(0, n_images, len(latent))
        n_cells = draw.integers(1, 4, len(latent))
        place = np.repeat(np.arange(len(latent)), n_cells)
        cell = draw.integers(0, N_CELLS, len(place))
        parts.append((latent[place], image[place] * N_CELLS + cell, draw.gamma(2, 1, len(place))))
    latent, column, value = (np.concatenate(found) for found in zip(*parts, strict=True))
    value = value * rng.uniform(0.7, 1.3, len(value))
    kept = (latent >= n_shared) | (rng.random(len(latent)) > 0.2)
    key, first = np.unique(latent[kept] * (n_images * N_CELLS) + column[kept], return_index=True)
    latent, column = np.divmod(key, n_images * N_CELLS)
    return CoarseMaps(
        images=np.arange(n_images),
        n_cells=N_CELLS,
        start=np.searchsorted(latent, np.arange(n_latents + 1)),
        column=column.astype(np.uint16),
        value=value[kept][first].astype(np.float16),
    )


def maxima_of(maps: CoarseMaps) -> np.ndarray:
    """(S, M) float16: of each picture the largest cell."""
    n_latents, n_images = len(maps.start) - 1, len(maps.images)
    maxima = np.zeros((n_latents, n_images), np.float16)
    latent = np.repeat(np.arange(n_latents), np.diff(maps.start))
    np.maximum.at(maxima, (latent, maps.column // maps.n_cells), maps.value)
    return maxima


def wide_arrays(seed: int = 0) -> ProfileArrays:
    """A profile of such a dictionary."""
    rng = np.random.default_rng(seed)
    shape = (N_LATENTS, N_EXEMPLARS)
    n_maps = N_LATENTS * N_EXEMPLARS
    patches = np.sort(rng.integers(0, 196, (n_maps, N_ACTIVE)), axis=1).astype(np.uint16)
    exemplars = ExemplarArrays(
        image=rng.integers(0, N_IMAGES, shape),
        patch=patches[:, 0].reshape(shape),
        activation=np.full(shape, 2.0, np.float32),
        map_offsets=np.arange(n_maps + 1) * N_ACTIVE,
        map_patches=patches.ravel(),
        map_values=(rng.random(n_maps * N_ACTIVE) * 2).astype(np.float32),
    )
    maps = coarse_maps(seed)
    return ProfileArrays(
        n_images=N_IMAGES,
        n_patches=N_IMAGES * 196,
        n_active=rng.integers(1, 1000, N_LATENTS),
        total=rng.random(N_LATENTS) * 1000,
        maximum=rng.random(N_LATENTS).astype(np.float32) * 5,
        histogram=rng.poisson(3, (N_LATENTS, 60)),
        edges=np.geomspace(2**-10, 2**10, 61).astype(np.float32),
        exemplars={"top": exemplars},
        signature_positions=np.arange(N_SIGNATURE),
        signature=maxima_of(maps),
        coarse=maps,
        figures=[
            {
                "monosemanticity": round(float(rng.random()), 5),
                "together": [[int(other), 0.1] for other in rng.integers(0, N_LATENTS, 8)],
                "n_together": N_SIGNATURE,
                "enriched": None,
            }
            for _ in range(N_LATENTS)
        ],
    )


def write_wide(
    catalog: Catalog, invocation: int, name: str, photos: ImageSetInfo, *, seed: int = 0
) -> DictionaryInfo:
    """Such a dictionary in a catalog, profiled, with labels."""
    with catalog.writing() as session:
        draft = begin_dictionary(
            session,
            invocation,
            name=name,
            backbone=backbone_row(session, invocation),
            layer=10,
            n_latents=N_LATENTS,
            activation="topk",
            settings={},
        )
        wide = publish_dictionary(
            session,
            draft,
            checkpoint=store_artifact(session, invocation, name.encode(), "checkpoint"),
            explained_variance=0.9,
            l0=32.0,
            dead_fraction=0.0,
            patches_seen=1,
            seconds=1.0,
        )
    store_profile(
        catalog,
        invocation,
        dictionary=wide,
        image_set=photos,
        arrays=wide_arrays(seed),
        settings={},
        seconds=1.0,
    )
    with catalog.writing() as session:
        for i in range(N_LABELS):
            add_label(session, invocation, Concept(name, (i,)), f"label {i % 50}", author="me")
    return wide
