"""Pictures with and without a concept, by folders: none is both."""

import shutil

import pytest
from PIL import Image

from saecli.errors import SaecliError
from saecli.progress import SILENT
from saecli.workflows.examples import by_folders


@pytest.fixture
def birds(pictures, tmp_path):
    """Nine pictures, three of them in `jays`; one of these lies beside it as a copy, too."""
    folder = tmp_path / "birds"
    (folder / "jays").mkdir(parents=True)
    for number in range(9):
        target = folder / "jays" if number < 3 else folder
        shutil.copy(pictures / f"{number:06}.png", target)
    shutil.copy(folder / "jays" / "000001.png", folder / "copy.png")
    return folder


def test_the_negatives_may_hold_the_positives(birds):
    found = by_folders(str(birds / "jays"), str(birds), None, SILENT)
    assert found.positive is not None
    assert found.positive.tolist() == [True] * 3 + [False] * 6
    names = [file.name for file in found.subjects.files]
    assert names[:3] == [f"jays/00000{number}.png" for number in range(3)]
    assert names[3:] == [f"birds/00000{number}.png" for number in range(3, 9)]
    hashes = [info.sha256 for info in found.subjects.infos]
    assert len(set(hashes)) == len(hashes) == 9


def test_a_built_in_set_is_no_concept(birds):
    with pytest.raises(SaecliError, match="'fieldguide:test' is no concept's pictures"):
        by_folders(str(birds), "fieldguide:test", None, SILENT)


@pytest.mark.parametrize("cache", ["1MB", "0"])
def test_a_picture_that_the_backbone_refuses_shifts_no_other_one_s_truth(
    saecli_trained, birds, tmp_path, cache
):
    def detect(*more):
        args = ("detect", "dinov2", "--positives", birds / "jays", "--negatives", birds)
        return saecli_trained.json(*args, "--top", "48", "--cache", cache, *more)["latents"]

    expected = detect()
    Image.new("RGB", (1, 90_000)).save(birds / "jays" / "000000-narrow.png")
    assert detect() == expected
