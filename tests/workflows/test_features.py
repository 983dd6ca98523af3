"""The inputs of probes: of every readable picture, in order, and nothing left out in silence."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

from saecli.errors import SaecliError
from saecli.images.sources import open_source
from saecli.progress import SILENT
from saecli.workflows.features import final_features
from tests.heard import Heard


@pytest.fixture(scope="module")
def backbone(models):
    from saecli.backbones import load

    return load(f"dinov2:{models['dinov2']}", device="cpu")


def test_a_broken_picture_is_left_out_and_said_to_be(backbone, pictures, tmp_path):
    for number in range(6):
        shutil.copy(pictures / f"{number:06}.png", tmp_path)
    (tmp_path / "000002.png").write_bytes(b"broken")
    heard = Heard()
    files = open_source(tmp_path).files
    found = final_features(backbone, files, ["cls", "patches"], heard, batch_size=2)
    assert [index for index, _ in found.images] == [0, 1, 3, 4, 5]
    assert len(heard.said) == 1
    assert "000002.png" in heard.said[0]
    last = backbone.n_blocks - 1
    for row, (index, _) in enumerate(found.images):
        from saecli.images.decoding import decode

        pixels = backbone.preprocess(decode(files[index].path))[None]
        with torch.no_grad():
            final = backbone.resume(backbone.record(pixels, last), last)
        torch.testing.assert_close(found.inputs["cls"][row], final.cls[0], rtol=1e-4, atol=1e-5)
        assert found.inputs["patches"][row].dtype == torch.float16


def test_a_set_of_broken_pictures_is_refused(backbone, tmp_path):
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(SaecliError, match="none of 1 pictures could be read"):
        final_features(backbone, open_source(tmp_path).files, ["cls"], SILENT)


def test_the_patches_of_a_large_set_are_mapped_and_leave_nothing_behind(
    backbone, pictures, tmp_path
):
    import gc

    files = open_source(pictures).files[:7]
    kinds = ["cls", "patches"]
    plain = final_features(backbone, files, kinds, SILENT, batch_size=3)
    kept = tmp_path / "files"
    mapped = final_features(
        backbone, files, kinds, SILENT, batch_size=3, folder=kept, max_bytes=1000
    )
    for name in kinds:
        assert torch.equal(mapped.inputs[name], plain.inputs[name])
    held = Path("/proc/self/maps").read_text() if sys.platform == "linux" else str(kept)
    assert str(kept) in held
    del mapped
    gc.collect()
    assert list(kept.iterdir()) == []
    small = final_features(backbone, files, kinds, SILENT, folder=tmp_path / "unused")
    assert torch.equal(small.inputs["patches"], plain.inputs["patches"])
    assert not (tmp_path / "unused").exists()


def test_a_disk_without_room_is_one_sentence(backbone, pictures, tmp_path, monkeypatch):
    from saecli.workflows import features

    monkeypatch.setattr(features, "MARGIN", 1 << 60)
    with pytest.raises(SaecliError, match="GB free; make room"):
        final_features(
            backbone,
            open_source(pictures).files[:2],
            ["patches"],
            SILENT,
            folder=tmp_path,
            max_bytes=1,
        )
