"""Pictures with and without a concept, by folders: none is both."""

import shutil

import pytest

from saecli.errors import SaecliError
from saecli.progress import SILENT
from saecli.workflows.detect import by_folders


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
