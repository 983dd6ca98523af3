"""The inputs of probes: of every readable picture, in order, and nothing left out in silence."""

import shutil

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
