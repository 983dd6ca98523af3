"""Which files count as pictures, in which order, with which labels and masks."""

from pathlib import Path

import pytest
from PIL import Image

from saecli.errors import SaecliError
from saecli.images.sources import (
    ImageFile,
    find_mask,
    open_source,
    read_classes,
    read_group_table,
    read_labels,
)


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, "PNG")
    return path


def names(spec: Path) -> list[str]:
    return [file.name for file in open_source(spec).files]


def test_every_picture_at_any_depth_counts_in_order_of_name(tmp_path):
    wanted = ["B.JPG", "a [1].png", "a.webp", "deep/er/c d.tiff", "deep/ünïcode 鳥.gif", "z*?.bmp"]
    for name in wanted:
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    source = open_source(tmp_path)
    assert [file.name for file in source.files] == sorted(wanted)
    assert all(file.path == tmp_path / file.name for file in source.files)
    assert source.root == tmp_path


def test_hidden_files_and_folders_are_left_out(tmp_path):
    for name in ("seen.png", ".hidden.png", ".cache/a.png", "sub/.thumbs/b.png", "sub/._c.png"):
        write(tmp_path / name)
    assert names(tmp_path) == ["seen.png"]


def test_folders_of_masks_are_left_out(tmp_path):
    for name in ("a.png", "parts/a.png", "masks/b.png", "photos/masks/c.png"):
        write(tmp_path / name)
    (tmp_path / "parts" / "classes.txt").write_text("sky\n")
    assert names(tmp_path) == ["a.png", "masks/b.png", "photos/masks/c.png"]
    (tmp_path / "classes.txt").write_text("sky\n")
    assert names(tmp_path) == ["a.png"]


def test_linked_folders_are_followed_once(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    write(root / "a.png")
    write(other / "b.png")
    (root / "link").symlink_to(other)
    (other / "back").symlink_to(root)
    assert names(root) == ["a.png", "link/b.png"]


def test_class_folders_give_labels(tmp_path):
    for name in ("ants/1.png", "ants/big/2.png", "bees/1.png", "loose.png"):
        write(tmp_path / name)
    assert {f.name: f.label for f in open_source(tmp_path).files} == {
        "ants/1.png": "ants",
        "ants/big/2.png": "ants",
        "bees/1.png": "bees",
        "loose.png": None,
    }


def test_a_single_folder_is_no_class(tmp_path):
    write(tmp_path / "pictures" / "a.png")
    write(tmp_path / "b.png")
    assert {file.label for file in open_source(tmp_path).files} == {None}


def test_a_table_of_labels_wins_over_folders(tmp_path):
    for name in ("x/a, 1.png", "y/b.png", "c.png"):
        write(tmp_path / name)
    (tmp_path / "labels.csv").write_text('file,label,note\n"x/a, 1.png",blue jay,\ny/b.png,,?\n')
    assert [file.label for file in open_source(tmp_path).files] == [None, "blue jay", None]


@pytest.mark.parametrize(
    ("table", "words"),
    [("name,class\na.png,x\n", "name"), ("file,label\nother.png,x\n", "none of the pictures")],
)
def test_a_table_that_does_not_fit_is_an_error(tmp_path, table, words):
    write(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(SaecliError, match=words):
        open_source(tmp_path)


def test_a_list_names_pictures_relative_to_itself(tmp_path):
    inside = write(tmp_path / "lists" / "b [2].png")
    outside = write(tmp_path / "other" / "a.png")
    listing = tmp_path / "lists" / "mine.txt"
    listing.write_text(f"../other/a.png\n\nb [2].png\nb [2].png\n{outside}\n", encoding="utf-8-sig")
    source = open_source(listing)
    assert [file.name for file in source.files] == ["../other/a.png", "b [2].png"]
    assert source.files[1].path.samefile(inside)
    assert source.files[0].path.samefile(outside)
    assert source.root == listing.parent


def test_a_list_with_a_missing_picture_names_it(tmp_path):
    listing = tmp_path / "list.txt"
    listing.write_text("gone.png\nalso gone.png\n")
    with pytest.raises(SaecliError, match=r"'gone\.png' and 1 more"):
        open_source(listing)


def test_a_folder_without_pictures_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SaecliError, match="holds no pictures"):
        open_source(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(SaecliError, match="no folder or list"):
        open_source(tmp_path / "nowhere")


def test_one_picture_is_no_list(tmp_path):
    with pytest.raises(SaecliError, match="single picture"):
        open_source(write(tmp_path / "a.png"))


def test_a_binary_file_is_no_list(tmp_path):
    (tmp_path / "blob").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(SaecliError, match="UTF-8"):
        open_source(tmp_path / "blob")


def test_a_name_that_is_no_unicode_is_an_error(tmp_path):
    write(tmp_path / "bad\udcff.png")
    with pytest.raises(SaecliError, match=r"bad\\udcff\.png"):
        open_source(tmp_path)


def test_masks_are_found_by_relative_stem_then_by_stem(tmp_path):
    picture = ImageFile(write(tmp_path / "train" / "a.b.png"), "train/a.b.png", None)
    masks = tmp_path / "annotations"
    flat = write(masks / "masks" / "a.b.png")
    assert find_mask(masks, picture) == flat
    nested = write(masks / "train" / "a.b.png")
    assert find_mask(masks, picture) == nested


def test_a_picture_is_not_its_own_mask(tmp_path):
    picture = ImageFile(write(tmp_path / "a.png"), "a.png", None)
    with pytest.raises(SaecliError, match=r"'a\.png' has no mask"):
        find_mask(tmp_path, picture)
    mask = write(tmp_path / "masks" / "a.png")
    assert find_mask(tmp_path, picture) == mask


def test_class_names_are_found_up_to_two_folders_above(tmp_path):
    masks = tmp_path / "masks" / "train"
    masks.mkdir(parents=True)
    (tmp_path / "classes.txt").write_text("sky\nroad \nunlabelled\n\n")
    assert read_classes(masks) == ("sky", "road", "unlabelled")
    (masks / "classes.txt").write_text("sky\nsky\n")
    with pytest.raises(SaecliError, match="'sky' twice"):
        read_classes(masks)


def test_missing_class_names_are_an_error(tmp_path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    with pytest.raises(SaecliError, match=r"no classes\.txt"):
        read_classes(deep)


def test_a_table_that_lies_elsewhere_labels_the_pictures(tmp_path):
    for name in ("a.png", "deep/b.png", "c.png"):
        write(tmp_path / "set" / name)
    table = tmp_path / "my labels.csv"
    table.write_text("file,label\na.png,ant\ndeep/b.png,bee\nz.png,wasp\n")
    source = read_labels(table, open_source(tmp_path / "set"))
    assert [file.label for file in source.files] == ["ant", None, "bee"]
    with pytest.raises(SaecliError, match="no table of labels"):
        read_labels(tmp_path / "nowhere.csv", source)
    table.write_text("file,label\nz.png,wasp\n")
    with pytest.raises(SaecliError, match="labels none of the pictures"):
        read_labels(table, source)


def test_each_picture_has_its_group(tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("File,Group\nb/2.png,film 2\na/1.png, film 1\nc.png,\n", encoding="utf-8-sig")
    expected = {"a/1.png": "film 1", "b/2.png": "film 2", "c.png": ""}
    assert read_group_table(table) == expected
    with pytest.raises(SaecliError, match="no table of groups at"):
        read_group_table(tmp_path / "none.csv")
    table.write_text("file,film\n")
    with pytest.raises(SaecliError, match="columns file and film; give it a header line: file,gr"):
        read_group_table(table)
