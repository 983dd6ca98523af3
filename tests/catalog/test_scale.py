"""A dictionary of the size that people train: 24,576 latents with 16 exemplars each."""

import time
from pathlib import Path

import numpy as np
import pytest

from saecli.catalog.artifacts import store_artifact
from saecli.catalog.images import record_image_set
from saecli.catalog.label_search import search_labels
from saecli.catalog.labels import add_label
from saecli.catalog.opening import open_catalog
from saecli.catalog.profiling import ExemplarArrays, ProfileArrays, store_profile
from saecli.catalog.showing import show_latent
from saecli.catalog.training import begin_dictionary, publish_dictionary
from saecli.refs import Concept
from tests.catalog.content import backbone_row, pictures

N_LATENTS = 24_576
N_IMAGES = 20_000
N_EXEMPLARS = 16
N_ACTIVE = 12  # patches of each map
N_SIGNATURE = 1024


def wide_arrays() -> ProfileArrays:
    rng = np.random.default_rng(0)
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
        signature=rng.random((N_LATENTS, N_SIGNATURE), np.float32).astype(np.float16),
    )


@pytest.mark.slow
def test_a_wide_dictionary_stays_small_and_answers_at_once(empty):
    with empty.begin("train", []) as invocation:
        with empty.writing() as session:
            draft = begin_dictionary(
                session,
                invocation.id,
                name="wide",
                backbone=backbone_row(session, invocation.id),
                layer=10,
                n_latents=N_LATENTS,
                activation="topk",
                settings={},
            )
            wide = publish_dictionary(
                session,
                draft,
                checkpoint=store_artifact(session, invocation.id, b"wide", "checkpoint"),
                explained_variance=0.9,
                l0=32.0,
                dead_fraction=0.0,
                patches_seen=1,
                seconds=1.0,
            )
        photos = record_image_set(
            empty, invocation.id, name="photos", root="/", pictures=pictures(N_IMAGES)
        )
        store_profile(
            empty,
            invocation.id,
            dictionary=wide,
            image_set=photos,
            arrays=wide_arrays(),
            settings={},
            seconds=1.0,
        )
        with empty.writing() as session:
            for i in range(500):
                add_label(
                    session, invocation.id, Concept("wide", (i,)), f"label {i % 50}", author="me"
                )
    empty.close()
    assert Path("catalog.db").stat().st_size < 150e6
    assert sum(path.stat().st_size for path in Path().rglob("*") if path.is_file()) < 300e6

    def read():
        with open_catalog() as catalog, catalog.reading() as session:
            shown = show_latent(session, Concept("wide", (19_717,)))
            found = search_labels(session, "label 7")
        return shown, found

    read()  # compiles the statements
    started = time.process_time()
    shown, found = read()
    assert time.process_time() - started < 0.2
    assert len(shown.exemplars) == N_EXEMPLARS
    assert len(found.results) == 10
