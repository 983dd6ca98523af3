"""Activation stores: recorded in shards, found whole or refused, read as they were written."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from saecli.activations import stored
from saecli.activations.manifest import read_manifest
from saecli.activations.recording import record_patches
from saecli.activations.stored import open_store
from saecli.activations.storing import begin_store, finish_store, recipe_of, record_shards
from saecli.errors import SaecliError
from saecli.grid import Grid
from saecli.images.sources import open_source
from tests.activations.conftest import Watched
from tests.stores import write_store

IMAGE = 16 * 32 * 2  # bytes of a picture in float16
SHARD = 3 * IMAGE  # 11 pictures: shards of 3, 3, 3 and 2; the fourth picture is broken


def record(backbone, pictures, folder, layers=(0, 1), *, numbers=None, **options):
    """A store of the pictures in a folder, all shards or some of them."""
    source = open_source(pictures)
    recipe = recipe_of(backbone, source, layers, **{"shard_bytes": SHARD} | options)
    begin_store(folder, recipe)
    chosen = range(recipe.n_shards) if numbers is None else numbers
    record_shards(folder, backbone, source, recipe, chosen, batch_size=2)
    return finish_store(folder, recipe, {}) if numbers is None else None


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def everything(stored) -> torch.Tensor:
    return torch.cat([batch for _, batch in stored.batches(4)])


@pytest.fixture
def store(backbone, folder, tmp_path):
    record(backbone, folder, tmp_path / "store")
    return tmp_path / "store"


def test_each_layer_is_what_recording_it_alone_gives(store, backbone, files):
    for layer in (0, 1):
        alone = record_patches(backbone, files, layer, batch_size=2)
        together = torch.cat([batch for _, batch in alone.batches()])
        torch.testing.assert_close(
            everything(open_store(store, layer)), together, rtol=2e-3, atol=1e-4
        )


def test_the_backbone_runs_once_for_all_layers(store, backbone):
    assert backbone.n_images == 10


def test_pictures_and_broken_ones_are_listed_with_their_thumbnails(store, files):
    stored = open_store(store, 1)
    assert [one.name for one in stored.skipped] == ["03.png"]
    assert [file.name for file in stored.pictures.files] == [
        f.name for f in files if f.name != "03.png"
    ]
    assert [index for index, _ in stored.images] == list(range(10))
    recorded = {
        file.name: info
        for file, (_, info) in zip(stored.pictures.files, stored.images, strict=True)
    }
    assert recorded["07.png"].width == 57
    assert all(info.thumbnail.startswith(b"\xff\xd8") for info in recorded.values())
    assert (stored.n_images, stored.d_model, stored.grid.n_patches) == (10, 32, 16)


def test_shards_are_ordinary_safetensors_files(store):
    shards = sorted((store / "layer-1").iterdir())
    assert [path.name for path in shards] == [f"{i:05}.safetensors" for i in range(4)]
    found = torch.cat([load_file(path)["activations"] for path in shards])
    assert found.dtype == torch.float16
    assert torch.equal(found.float(), everything(open_store(store, 1)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_other_types_are_kept_as_they_are_named(backbone, folder, expected, tmp_path, dtype):
    record(backbone, folder, tmp_path / "store", [1], dtype=dtype)
    got = everything(open_store(tmp_path / "store"))
    exact = expected.to(getattr(torch, dtype)).float()
    torch.testing.assert_close(got, exact, rtol=2**-7, atol=1e-3)


def test_values_beyond_float16_are_refused_with_the_type_that_holds_them(
    tiny, folder, expected, tmp_path
):
    loud = Watched(tiny, 70_000 / float(expected.abs().max()))
    with pytest.raises(SaecliError, match=r"layer 1 exceed float16 .*--dtype bfloat16"):
        record(loud, folder, tmp_path / "store", [1])
    record(loud, folder, tmp_path / "other", [1], dtype="bfloat16")


@pytest.mark.parametrize("stop", [0, 1, 4, 7, 9])
def test_a_recording_interrupted_anywhere_continues_to_the_same_bytes(tiny, folder, tmp_path, stop):
    class Stopped(Watched):
        def record_layers(self, pixels, layers):
            self.n_images += len(pixels)
            if self.n_images > stop:
                raise KeyboardInterrupt
            return self.backbone.record_layers(pixels, layers)

    with pytest.raises(KeyboardInterrupt):
        record(Stopped(tiny), folder, tmp_path / "store")
    with pytest.raises(SaecliError, match="unfinished; go on with the saecli record"):
        open_store(tmp_path / "store", 1)
    record(tiny, folder, tmp_path / "store")
    record(tiny, folder, tmp_path / "whole")
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


def test_what_is_recorded_is_not_recorded_again(store, tiny, folder):
    again = Watched(tiny)
    record(again, folder, store)
    assert again.n_images == 0


def test_shards_recorded_apart_in_any_order_are_the_same_store(tiny, folder, tmp_path):
    for numbers in ([3, 1], [0, 2]):
        record(tiny, folder, tmp_path / "parts", numbers=numbers)
    record(tiny, folder, tmp_path / "parts")
    record(tiny, folder, tmp_path / "whole")
    assert files_of(tmp_path / "parts") == files_of(tmp_path / "whole")


def test_a_store_of_another_recipe_is_not_added_to(store, backbone, tiny, folder, tmp_path):
    with pytest.raises(SaecliError, match="other settings: the layers 0, 1"):
        record(backbone, folder, store, [1])
    with pytest.raises(SaecliError, match="the type float16"):
        record(backbone, folder, store, dtype="bfloat16")
    fewer = shutil.copytree(folder, tmp_path / "fewer")
    (fewer / "05.png").unlink()
    with pytest.raises(SaecliError, match="the number of pictures 11"):
        record(backbone, fewer, store)

    class Other(Watched):
        digest = "0" * 64

    with pytest.raises(SaecliError, match="another digest of weights"):
        record(Other(tiny), folder, store)


def test_another_folder_is_never_written_into(backbone, folder, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SaecliError, match="there already and no activation store"):
        record(backbone, folder, tmp_path)
    assert files_of(tmp_path) == {"notes.txt": b"mine"}


def test_a_set_of_broken_pictures_only_is_refused(backbone, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"nothing")
    with pytest.raises(SaecliError, match="none of the 1 pictures could be read"):
        record(backbone, tmp_path / "pictures", tmp_path / "store")


def test_a_shuffled_epoch_has_every_patch_once_and_continues_anywhere(store):
    stored = open_store(store, 1, buffer=64)
    images = torch.tensor([0, 1, 3, 4, 5, 8, 9])
    stream = stored.shuffled(images, seed=3)
    drawn, positions = [], []
    for _ in range(28):
        positions.append(stream.position)
        drawn.append(stream.draw(8))
    wanted = everything(stored)[images].flatten(0, 1)
    for epoch in (drawn[:14], drawn[14:]):
        assert sorted(map(tuple, torch.cat(epoch).tolist())) == sorted(map(tuple, wanted.tolist()))
    assert not torch.equal(torch.cat(drawn[:14]), torch.cat(drawn[14:]))
    for step in (0, 5, 13, 14, 20):
        again = stored.shuffled(images, seed=3, start=positions[step])
        assert all(torch.equal(again.draw(8), one) for one in drawn[step:])


def test_reading_a_choice_of_images_gives_them_in_that_order(store):
    stored = open_store(store, 0)
    chosen = torch.tensor([9, 2, 3, 4, 0, 1, 5])
    assert torch.equal(stored.read(chosen).float(), everything(stored)[chosen])


def test_a_store_names_its_layers_where_none_or_a_wrong_one_is_asked_for(store):
    assert open_store(store, -2).layer == 1
    with pytest.raises(SaecliError, match=r"holds the layers 0, 1; name one with --layer"):
        open_store(store)
    with pytest.raises(SaecliError, match="holds no layer 2; name one of 0 and 1"):
        open_store(store, 2)


def test_damage_is_told_when_it_is_met(store):
    manifest = json.loads((store / "manifest.json").read_bytes())
    manifest["recipe"]["backbone"]["digest"] = "0" * 64
    whole = (store / "manifest.json").read_bytes()
    (store / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SaecliError, match=r"the manifest .* is damaged"):
        open_store(store, 1)
    (store / "manifest.json").write_bytes(whole)
    path = store / "layer-1" / "00002.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(
        SaecliError, match=r"00002.safetensors' is cut short; look at it with saecli doctor"
    ):
        everything(open_store(store, 1))
    path.unlink()
    with pytest.raises(SaecliError, match=r"00002.safetensors' can't be read"):
        everything(open_store(store, 1))
    (store / "pictures" / "00001.json").write_text("{}")
    with pytest.raises(SaecliError, match=r"00001.json' is damaged"):
        open_store(store, 1).images  # noqa: B018


def test_the_manifest_names_backbone_layers_transform_and_pictures(store, backbone, folder):
    manifest = read_manifest(store)
    recipe = manifest.recipe
    assert recipe.backbone.digest == backbone.digest
    assert recipe.backbone.image_transform == backbone.image_transform
    assert (recipe.layers, recipe.dtype, recipe.spec) == ((0, 1), "float16", str(folder))
    assert (manifest.n_images, manifest.n_skipped) == (10, 1)


def test_a_batch_is_a_random_draw_from_a_buffer_of_the_stated_size(tmp_path, monkeypatch):
    """Pairs of one picture are as frequent as among random pairs of the buffer's patches."""
    monkeypatch.setattr(stored, "BLOCK_BYTES", 1)  # a picture at a time, as of a real backbone
    n_images, per_image, batch = 200, 16, 32
    images = (torch.full((per_image, 2), float(i)) for i in range(n_images))
    write_store(tmp_path, images, n_images, Grid(4, 4), 2, images_per_shard=90)
    for buffer in (20 * per_image, n_images * per_image):
        stream = open_store(tmp_path, buffer=buffer).shuffled(torch.arange(n_images), seed=0)
        pairs = 0
        for _ in range(n_images * per_image // batch):
            drawn = stream.draw(batch)[:, 0]
            pairs += int((drawn[:, None] == drawn[None]).sum()) - batch
        share = pairs / (n_images * per_image * (batch - 1))
        assert share == pytest.approx((per_image - 1) / (buffer - 1), rel=0.1)
