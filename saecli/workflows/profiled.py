"""A profile as the catalog keeps it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.profiling import ExemplarArrays, ProfileArrays

if TYPE_CHECKING:
    from saecli.profiling.maps import PatchMaps
    from saecli.profiling.profiler import Profile

_DIGITS = 5  # of figures that are told as text


def profile_arrays(profile: "Profile", classes: Sequence[str]) -> ProfileArrays:
    """All that a profile found; the classes by their numbers."""
    kinds = {
        "top": (profile.exemplar_image, profile.exemplar_patch, profile.exemplar_activation),
        "quantile": (profile.quantile_image, profile.quantile_patch, profile.quantile_activation),
        "random": (profile.random_image, profile.random_patch, profile.random_activation),
    }
    return ProfileArrays(
        n_images=profile.n_images,
        n_patches=profile.n_patches,
        n_active=profile.n_active,
        total=profile.sum,
        maximum=profile.max,
        histogram=profile.histogram,
        edges=profile.edges,
        exemplars={
            kind: _with_maps(profile.maps, profile.n_images, *arrays)
            for kind, arrays in kinds.items()
        }
        | {
            "near_miss": ExemplarArrays(
                profile.near_image, profile.near_patch, profile.near_activation
            )
        },
        signature_positions=profile.signature_images,
        signature=profile.signature,
        coarse=profile.coarse,
        figures=_figures(profile, classes),
    )


def _figures(profile: "Profile", classes: Sequence[str]) -> list[dict[str, Any]]:
    """What is told of each latent beside counts and sums, as plain values."""
    score = profile.monosemanticity
    neighbours, enriched = profile.neighbours, profile.enriched
    return [
        {
            "monosemanticity": None if np.isnan(score[i]) else round(float(score[i]), _DIGITS),
            "together": [
                [int(other), round(float(share), _DIGITS)]
                for other, share in zip(neighbours.latent[i], neighbours.share[i], strict=True)
                if other >= 0
            ],
            "n_together": neighbours.n_images,
            "enriched": None
            if enriched is None
            else [
                [
                    classes[number],
                    *(
                        round(float(values[i, place]), _DIGITS)
                        for values in (enriched.effect, enriched.low, enriched.high)
                    ),
                    float(f"{enriched.q[i, place]:.{_DIGITS}g}"),
                ]
                for place, number in enumerate(enriched.class_number[i])
                if number >= 0
            ],
        }
        for i in range(len(score))
    ]


def _with_maps(
    maps: "PatchMaps",
    n_images: int,
    image: NDArray[np.int32],
    patch: NDArray[np.int32],
    activation: NDArray[np.float32],
) -> ExemplarArrays:
    """Exemplars (S, R) with the patch map of each, gathered from the maps of all of them."""
    keys = maps.latent.astype(np.int64) * n_images + maps.image
    latent = np.repeat(np.arange(len(image), dtype=np.int64), image.shape[1])
    flat = image.reshape(-1).astype(np.int64)
    there = flat >= 0
    place = np.searchsorted(keys, latent[there] * n_images + flat[there])
    length = np.zeros(len(flat), dtype=np.int64)
    length[there] = maps.start[place + 1] - maps.start[place]
    offsets = np.concatenate([[0], np.cumsum(length)])
    first = np.zeros(len(flat), dtype=np.int64)
    first[there] = maps.start[place]
    entries = np.repeat(first - offsets[:-1], length) + np.arange(offsets[-1])
    peak = np.repeat(activation.reshape(-1), length)
    return ExemplarArrays(
        image=image,
        patch=patch,
        activation=activation,
        map_offsets=offsets,
        map_patches=maps.patch[entries],
        map_values=maps.level[entries] / np.float32(255) * peak,
    )
