"""Streaming: the same patches as a recording, without keeping them."""

import pytest
import torch

from saecli.activations.recording import Recorded, record_patches
from saecli.activations.settings import CacheSettings
from saecli.activations.streaming import Streaming, open_activations
from saecli.images.sources import open_source
from saecli.sae.checkpoints import to_bytes
from saecli.sae.model import Identity
from saecli.sae.settings import TrainSettings
from saecli.sae.trainer import train
from tests.activations.conftest import N_PICTURES, Watched
from tests.activations.test_recording import BYTES, Saying

SETTINGS = TrainSettings(latents="64", k=4, n_patches=64 * 12, batch=64, held_out=0.2)


def assert_same_patches(drawn: torch.Tensor, expected: torch.Tensor) -> None:
    """Each expected patch was drawn exactly once, up to float16."""
    nearest = torch.cdist(drawn, expected).argmin(dim=1)
    assert sorted(nearest.tolist()) == list(range(len(expected)))
    torch.testing.assert_close(drawn, expected[nearest], rtol=1e-3, atol=1e-4)


def test_each_epoch_has_the_readable_pictures_patches_once(backbone, files, expected):
    stream = Streaming(backbone, files, 1, buffer=48, batch_size=2).shuffled(torch.arange(11), 0)
    for _ in range(2):
        drawn = stream.draw(160)
        assert_same_patches(drawn, expected.flatten(0, 1))
    assert stream.position.epoch == 2


def test_the_buffer_bounds_what_is_computed_ahead(backbone, files):
    stream = Streaming(backbone, files, 1, buffer=48).shuffled(torch.tensor([0, 1, 2, 4, 5, 6]), 0)
    stream.draw(1)
    assert backbone.n_images == 3
    stream.draw(47)
    assert backbone.n_images == 3
    stream.draw(1)
    assert backbone.n_images == 6


def test_broken_pictures_are_listed_once(backbone, files):
    streaming = Streaming(backbone, files, 1, buffer=64)
    assert streaming.n_images == N_PICTURES
    stream = streaming.shuffled(torch.arange(11), 0)
    for _ in range(3):
        stream.draw(160)
    assert [one.name for one in streaming.skipped] == ["03.png"]
    assert streaming.n_images == 10


def test_batches_are_those_of_a_recording(backbone, files):
    recorded = record_patches(backbone, files, 1)
    streaming = Streaming(backbone, files, 1)
    for (a, x), (b, y) in zip(recorded.batches(4), streaming.batches(4), strict=True):
        assert a == b
        torch.testing.assert_close(x, y, rtol=2**-10, atol=1e-4)
    assert streaming.images == recorded.images


def test_activations_beyond_float16_stay_finite(tiny, files, expected):
    outlier = Watched(tiny, scale=70_000 / float(expected.abs().max()))
    drawn = Streaming(outlier, files, 1, batch_size=2).shuffled(torch.arange(11), 0).draw(160)
    assert_same_patches(drawn / outlier.scale, expected.flatten(0, 1))


@pytest.mark.parametrize("stop", [3, 4, 9])
def test_training_from_a_stream_resumes_to_the_identical_dictionary(
    backbone, files, tmp_path, stop
):
    identity = Identity.of(backbone, 1)

    def source() -> Streaming:
        return Streaming(backbone, files, 1, buffer=64)

    def interrupt(point):
        if point.step == stop:
            raise KeyboardInterrupt

    whole = train(source(), SETTINGS, identity)
    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        train(source(), SETTINGS, identity, on_metrics=interrupt, state=state)
    resumed = train(source(), SETTINGS, identity, state=state, resume=True)
    assert to_bytes(resumed.dictionary) == to_bytes(whole.dictionary)


def test_streamed_and_recorded_training_end_alike(backbone, folder):
    """Not the same order, but the same data: the dictionaries explain as much."""
    files = [file for file in open_source(folder).files if file.name != "03.png"]
    identity = Identity.of(backbone, 1)
    settings = TrainSettings(latents="64", k=8, n_patches=64 * 60, batch=64, held_out=0.2)
    streamed = train(Streaming(backbone, files, 1, buffer=64), settings, identity)
    recorded = train(record_patches(backbone, files, 1), settings, identity)
    assert streamed.held_out == recorded.held_out
    assert streamed.evaluation.explained_variance == pytest.approx(
        recorded.evaluation.explained_variance, abs=0.05
    )


def test_the_way_of_reading_follows_from_need_and_room(backbone, files, tmp_path):
    progress = Saying()

    def opened(read_once: bool, ram: int) -> object:
        return open_activations(
            backbone,
            files,
            1,
            read_once=read_once,
            progress=progress,
            cache=CacheSettings(None, max_bytes_ram=ram),
        )

    assert isinstance(opened(False, BYTES), Recorded)
    assert isinstance(opened(True, BYTES), Streaming)
    assert progress.said == []
    assert isinstance(opened(False, BYTES - 1), Streaming)
    assert "more than --cache holds" in progress.said[0]


def test_a_fingerprint_names_the_pictures(backbone, files):
    for kind in (lambda f: Streaming(backbone, f, 1), lambda f: record_patches(backbone, f, 1)):
        prints = [kind(f).fingerprint for f in (files, files, files[1:])]
        assert prints[0] == prints[1] != prints[2]
