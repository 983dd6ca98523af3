"""Pictures inside tar shards, Parquet files and saved datasets are the same as files'."""

import io
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from saecli.errors import SaecliError
from saecli.images.decoding import UnreadableImage, content_hash, decode, size_of_file, upright_size
from saecli.images.loading import load_batches
from saecli.images.sources import open_source


def png(level: int, width: int = 7) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, 5), (level, level, level)).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def levels(source) -> list[int]:
    return [decode(file.path).getpixel((0, 0))[0] for file in source.files]


@pytest.fixture
def shards(tmp_path):
    """Two shards in WebDataset's layout: three pictures and two, each with its class and text."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard, numbers in enumerate(((1, 2, 3), (4, 5))):
        members = {}
        for number in numbers:
            members[f"a/{number:06}.png"] = png(number)
            members[f"a/{number:06}.cls"] = str(number % 2).encode()
            members[f"a/{number:06}.txt"] = b"a caption"
        write_tar(folder / f"train-{shard:03}.tar", members)
    return folder


def test_a_folder_of_shards_is_a_set_with_the_shards_classes(shards):
    source = open_source(shards)
    assert [file.name for file in source.files] == [
        *(f"train-000.tar/a/{number:06}.png" for number in (1, 2, 3)),
        *(f"train-001.tar/a/{number:06}.png" for number in (4, 5)),
    ]
    assert [file.label for file in source.files] == ["1", "0", "1", "0", "1"]
    assert levels(source) == [1, 2, 3, 4, 5]


def test_one_shard_and_a_range_of_them_are_sets(shards):
    assert levels(open_source(shards / "train-001.tar")) == [4, 5]
    assert open_source(shards / "train-001.tar").files[0].name == "a/000004.png"
    assert levels(open_source(str(shards / "train-{000..001}.tar"))) == [1, 2, 3, 4, 5]
    with pytest.raises(SaecliError, match=r"names .*train-002\.tar, which can't be found"):
        open_source(str(shards / "train-{000..002}.tar"))


def test_pictures_in_shards_hash_and_measure_like_files(shards, tmp_path):
    file = open_source(shards).files[1]
    (tmp_path / "2.png").write_bytes(png(2))
    assert content_hash(file.path) == content_hash(tmp_path / "2.png")
    assert size_of_file(file.path) == len(png(2))
    assert upright_size(file.path) == (7, 5)
    skipped = []
    batches = load_batches(
        open_source(shards).files,
        lambda image: to_pixels(image),
        batch_size=4,
        on_skip=skipped.append,
    )
    assert [batch.indices for batch in batches] == [[0, 1, 2, 3], [4]]
    assert not skipped


def to_pixels(image):
    import torch

    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float()


def test_without_classes_of_their_own_folders_within_the_shards_are_classes(tmp_path):
    write_tar(tmp_path / "a.tar", {"./wren/1.png": png(1), "jay/2.png": png(2)})
    assert [file.label for file in open_source(tmp_path).files] == ["jay", "wren"]
    (tmp_path / "labels.csv").write_text("file,label\na.tar/wren/1.png,bird\n")
    assert [file.label for file in open_source(tmp_path).files] == [None, "bird"]


def test_loose_pictures_come_before_shards(shards):
    (shards / "loose.png").write_bytes(png(9))
    assert levels(open_source(shards)) == [9]


def test_members_cannot_lead_out_of_their_shard(tmp_path):
    write_tar(
        tmp_path / "a.tar", {"../../up.png": png(1), "/top.png": png(2), "x/.hidden.png": b""}
    )
    source = open_source(tmp_path)
    assert [file.name for file in source.files] == ["a.tar/top.png", "a.tar/up.png"]
    assert levels(source) == [2, 1]


def test_what_is_broken_in_a_shard_is_skipped_and_told(shards):
    path = shards / "train-000.tar"
    data = path.read_bytes()
    whole = [file.path for file in open_source(shards).files]
    for keep in (len(data) // 2, 600, 512 * 9 + 100):
        path.write_bytes(data[:keep])
        files = open_source(shards).files
        lost = {str(one.relative_to(shards)) for one in whole} - {file.name for file in files}
        assert lost
        skipped = []
        list(load_batches(files, to_pixels, on_skip=skipped.append))
        assert any(one.name.startswith("train-000.tar/") for one in skipped), keep
        assert all("ends" in one.reason for one in skipped)


def test_what_is_no_plain_tar_is_refused(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(SaecliError, match="no plain tar archive"):
        open_source(tmp_path)
    (tmp_path / "a.tar.gz").write_bytes(b"")
    with pytest.raises(SaecliError, match="compressed tar archive"):
        open_source(tmp_path / "a.tar.gz")


@pytest.fixture(params=["bytes", "struct"])
def parquet(request, tmp_path):
    """Six pictures in two row groups, the fourth missing, with string labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pictures = [png(i) for i in range(6)]
    pictures[3] = None
    if request.param == "struct":
        pictures = [None if one is None else {"bytes": one, "path": "x.png"} for one in pictures]
    table = pa.table({"label": [f"c{i % 2}" for i in range(6)], "image": pictures})
    folder = tmp_path / "parquet"
    folder.mkdir()
    pq.write_table(table, folder / "part.parquet", row_group_size=4)
    return folder


def test_parquet_rows_are_pictures_with_labels(parquet):
    source = open_source(parquet)
    assert [file.name for file in source.files] == [f"part.parquet/{i:08}" for i in range(6)]
    assert [file.label for file in source.files] == ["c0", "c1"] * 3
    skipped = []
    (batch,) = load_batches(source.files, to_pixels, workers=4, on_skip=skipped.append)
    assert batch.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 5]
    assert [one.name for one in skipped] == ["part.parquet/00000003"]
    assert "its row holds no picture" in skipped[0].reason


def test_a_table_without_pictures_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(SaecliError, match="no column of pictures; call the column"):
        open_source(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"nothing")
    with pytest.raises(SaecliError, match="can't be read as a table"):
        open_source(tmp_path)


def test_a_saved_dataset_is_read_with_the_names_of_its_classes(tmp_path):
    import datasets

    pictures = [Image.open(io.BytesIO(png(i))) for i in range(5)]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["wren", "jay"])}
    )
    made = datasets.Dataset.from_dict(
        {"image": pictures, "label": [0, 1, 1, 0, -1]}, features=features
    )
    made.save_to_disk(tmp_path / "one", num_shards=2)
    datasets.DatasetDict(train=made, test=made.select([4, 2])).save_to_disk(tmp_path / "splits")
    made.to_parquet(tmp_path / "parquet" / "train.parquet")
    for folder in ("one", "parquet"):
        source = open_source(tmp_path / folder)
        assert levels(source) == [0, 1, 2, 3, 4]
        assert [file.label for file in source.files] == ["wren", "jay", "jay", "wren", None]
    assert levels(open_source(tmp_path / "splits" / "test")) == [4, 2]
    assert len(open_source(tmp_path / "splits").files) == 7


def test_a_picture_that_a_row_only_points_to_is_read_or_told(tmp_path):
    import datasets

    (tmp_path / "x.png").write_bytes(png(8))
    features = datasets.Features({"image": datasets.Image()})
    paths = [str(tmp_path / "x.png"), str(tmp_path / "gone.png")]
    (tmp_path / "gone.png").write_bytes(png(9))
    made = datasets.Dataset.from_dict({"image": paths}, features=features)
    made.save_to_disk(tmp_path / "one")
    (tmp_path / "gone.png").unlink()
    files = open_source(tmp_path / "one").files
    skipped = []
    batches = list(load_batches(files, to_pixels, on_skip=skipped.append))
    assert sum(len(batch.indices) for batch in batches) + len(skipped) == 2


def test_a_picture_that_is_no_longer_in_its_container_is_unreadable(shards):
    path = open_source(shards).files[0].path
    write_tar(shards / "train-000.tar", {"other.png": png(1)})
    with pytest.raises(UnreadableImage, match="the tar shard doesn't hold it"):
        decode(path)
    shutil.rmtree(shards)
    with pytest.raises(UnreadableImage, match="No such file"):
        decode(path)
