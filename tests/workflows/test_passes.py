"""A pass over a store that is broken off and taken up again gives the profile of one that isn't."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from saecli.activations.stored import open_store
from saecli.errors import Interrupted
from saecli.grid import Grid
from saecli.profiling.profiler import ProfileSettings, finish
from saecli.progress import SILENT
from saecli.workflows import passes
from saecli.workflows.passes import forget, go_through
from tests.dictionaries import IDENTITY, random_dictionary
from tests.profiling.test_profiler import assert_same
from tests.stores import write_store

N_IMAGES, GRID, WIDTH = 150, Grid(2, 3), 8


class Info:
    """Of a dictionary in the catalog, what a pass is named by."""

    def __init__(self, sha256: str) -> None:
        self.sha256 = sha256


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "store"
    generator = torch.Generator().manual_seed(0)
    images = (torch.randn(GRID.n_patches, WIDTH, generator=generator) for _ in range(N_IMAGES))
    write_store(folder, images, N_IMAGES, GRID, WIDTH, images_per_shard=40)
    return open_store(folder, 0)


@pytest.fixture
def pictures(stored):
    labelled = (
        replace(file, label=("ant", "bee", None)[i % 3])
        for i, file in enumerate(stored.pictures.files)
    )
    return replace(stored.pictures, files=tuple(labelled))


class Breaking:
    """A store whose reader is stopped before a number of pictures are through."""

    def __init__(self, stored, most: int) -> None:
        self._stored = stored
        self._most = most

    def __getattr__(self, name):
        return getattr(self._stored, name)

    def batches(self, images_per_batch=10, images=None):
        for start, batch in self._stored.batches(10, images):
            if start + len(batch) > self._most:
                raise KeyboardInterrupt
            yield start, batch


def test_a_pass_that_is_stopped_goes_on(stored, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(passes, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(passes, "SHARE", 1e9)
    dictionaries = [random_dictionary(), random_dictionary(activation="relu", seed=1)]
    infos = [Info("a"), Info("b")]
    settings = ProfileSettings(n_exemplars=3)
    whole = go_through(infos, dictionaries, stored, pictures, settings, SILENT)

    def go_on(most: int):
        return go_through(
            infos, dictionaries, Breaking(stored, most), pictures, settings, SILENT,
            folder=tmp_path,
        )  # fmt: skip

    with pytest.raises(Interrupted, match=f"64 of {N_IMAGES} pictures are kept"):
        go_on(80)
    with pytest.raises(Interrupted, match=f"128 of {N_IMAGES} pictures are kept"):
        go_on(70)
    (kept,) = tmp_path.iterdir()
    again = go_on(N_IMAGES)
    for part, expected in zip(again, whole, strict=True):
        assert_same(finish([part], settings), finish([expected], settings))
    assert np.isin(again[0].classes._class, (-1, 0, 1)).all()
    forget(infos, stored, settings, tmp_path)
    assert not kept.exists()


def test_a_pass_of_other_settings_or_dictionaries_starts_anew(
    stored, pictures, tmp_path, monkeypatch
):
    monkeypatch.setattr(passes, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(passes, "SHARE", 1e9)
    dictionary = random_dictionary(identity=IDENTITY)
    said = []

    class Told(type(SILENT)):
        def say(self, text: str) -> None:
            said.append(text)

    for sha256, seed in (("a", 0), ("b", 0), ("a", 1), ("a", 0)):
        with pytest.raises((Interrupted, KeyboardInterrupt)):
            go_through(
                [Info(sha256)], [dictionary], Breaking(stored, 80), pictures,
                ProfileSettings(seed=seed), Told(), folder=tmp_path,
            )  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 3
    assert said == ["goes on behind 64 pictures"]


def test_a_stop_before_anything_is_kept_is_a_plain_one(stored, pictures, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        go_through(
            [Info("a")], [random_dictionary()], Breaking(stored, 0), pictures,
            ProfileSettings(), SILENT, folder=tmp_path,
        )  # fmt: skip
