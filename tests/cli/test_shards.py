"""Pictures in tar shards go through the commands like any others, the broken ones told."""

import tarfile

import pytest


@pytest.fixture
def shards(tmp_path, pictures):
    """The test pictures in two tar files, one of them cut short within a picture."""
    folder = tmp_path / "shards"
    folder.mkdir()
    files = sorted(pictures.glob("*.png"))
    for number, chosen in enumerate((files[:20], files[20:])):
        with tarfile.open(folder / f"{number}.tar", "w") as archive:
            for file in chosen:
                archive.add(file, file.name)
    data = (folder / "1.tar").read_bytes()
    (folder / "1.tar").write_bytes(data[: len(data) - 13_000])
    return folder


def test_shards_are_trained_on_and_what_is_broken_is_in_the_catalog(saecli, models, shards):
    backbone = f"dinov2:{models['dinov2']}"
    args = ("--latents", "32", "--k", "4", "--batch", "64", "--n-patches", "2000", "--layer", "1")
    found = saecli.json("train", "--backbone", backbone, "--images", shards, "--name", "a", *args)
    assert any("1.tar" in line and "ends" in line for line in found["skipped"])
    (row,) = saecli.json("list")["image_sets"]
    assert 20 < row["n_images"] < 40
    assert row["n_skipped"] == len(found["skipped"])
    exemplar = next(
        one for index in range(32) for one in saecli.json("show", f"a:{index}")["exemplars"]
    )
    path = exemplar["image"]["path"]
    assert ".tar/" in path
    seen = saecli.json("inspect", path, "--patches", "1", "--dictionary", "a")
    assert seen["image"]["id"] == exemplar["image"]["id"]
    assert saecli.json("catalog", "relocate", shards)["n_in_place"] == row["n_images"]
