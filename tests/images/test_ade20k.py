"""Sets laid out like ADE20K are read as they lie."""

import numpy as np
import pytest

from saecli.errors import SaecliError
from saecli.images.ade20k import layout_of, object_names
from saecli.images.masks import check_masks, mask_of
from saecli.images.sources import open_source, read_classes
from tests.images.ade import TABLE, write_ade


def test_value_nought_is_unlabelled_and_the_others_are_the_table_s(tmp_path):
    root = write_ade(tmp_path)
    masks = root / "annotations" / "training"
    assert read_classes(masks) == ("unlabelled", "wall", "building", "sky")
    source = open_source(root / "images" / "training")
    check_masks(masks, source.files)
    mask = np.asarray(mask_of(masks, source.files[0], 4))
    assert {0} < set(np.unique(mask)) <= {0, 1, 2, 3}


def test_the_parts_are_found_with_or_without_a_held_out_one(tmp_path):
    root = write_ade(tmp_path)
    found = layout_of(root)
    assert found.images == root / "images" / "training"
    assert found.held_out_masks == root / "annotations" / "validation"
    (root / "annotations" / "validation").rename(root / "elsewhere")
    assert layout_of(root).held_out_images is None
    assert layout_of(root / "images") is None


def test_its_masks_are_no_pictures(tmp_path):
    root = write_ade(tmp_path)
    names = [file.name for file in open_source(root).files]
    assert len(names) == 16
    assert all(name.startswith("images/") for name in names)


def test_classes_txt_comes_first(tmp_path):
    root = write_ade(tmp_path)
    (root / "annotations" / "classes.txt").write_text("none\nwall\nhouse\nsky\n")
    assert read_classes(root / "annotations" / "training")[2] == "house"


def test_classes_of_one_first_name_keep_their_synonyms(tmp_path):
    table = "Idx\tName\n1\tscreen, silver screen\n2\tscreen, crt screen\n3\tsky \n"
    names = object_names(tmp_path, table)
    assert names == ("unlabelled", "screen, silver screen", "screen, crt screen", "sky")


@pytest.mark.parametrize(
    "text",
    ["", "Idx\tName\n", "wall\nsky\n", TABLE.replace("\t", " "), TABLE.replace("\n2\t", "\n7\t")],
)
def test_another_table_is_one_sentence(tmp_path, text):
    with pytest.raises(SaecliError, match="no table of ADE20K's classes"):
        object_names(tmp_path / "objectInfo150.txt", text)
