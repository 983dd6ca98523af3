"""What the tests of commands share: a catalog with dictionaries, probes and two twin species."""

import shutil

import pytest

from saecli.demo.writing import write_pictures
from tests.commands import Saecli

JAY, NUT = "blue jay", "Clark's nutcracker"


@pytest.fixture(scope="session")
def birds(tmp_path_factory):
    """Class folders of two twin species to train on, to choose latents on, and to test on."""
    folder = tmp_path_factory.mktemp("birds")
    for split, seed in (("train", 1), ("choose", 2), ("test", 3)):
        for species in (JAY, NUT):
            write_pictures(folder / split / species, 24, seed, species=species)
            shutil.rmtree(folder / split / species / "masks")
            for extra in ("labels.csv", "truth.jsonl"):
                (folder / split / species / extra).unlink()
    write_pictures(folder / "twins", 24, 3, species=JAY, counterfactual={"wing": "grey"})
    return folder


@pytest.fixture(scope="session")
def bench(trained, models, pictures, birds, tmp_path_factory):
    """A folder whose catalog has dictionaries and probes."""
    from saecli.cli.app import main

    folder = tmp_path_factory.mktemp("bench") / "here"
    shutil.copytree(trained, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        clip, dinov2 = f"clip:{models['clip']}", f"dinov2:{models['dinov2']}"
        base = ["probe", "train", "-q"]
        species = [*base, "--images", str(birds / "train"), "--backbone", clip]
        assert main([*species, "--name", "species"]) == 0
        masks = ["--masks", str(pictures / "masks"), "--classes", "sand,water,grass,rock,sky"]
        ground = [*base, "--images", str(pictures), "--backbone", dinov2, *masks]
        assert main([*ground, "--name", "ground"]) == 0
    return folder


@pytest.fixture
def saecli_bench(bench, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(bench, folder)
    return Saecli(folder, monkeypatch, capsys)
