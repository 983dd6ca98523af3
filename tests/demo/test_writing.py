"""Pictures written to a folder are whole, ordinary files that say the truth about themselves."""

import csv
import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saecli.demo import writing
from saecli.demo.world import CLASSES, SPECIES, WORLD_VERSION, render
from saecli.demo.writing import BUILT_IN_SETS, BuiltInSet, materialise, write_pictures
from saecli.errors import SaecliError
from saecli.images.sources import find_mask, open_source, read_classes


def truth(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text("utf-8").splitlines()]


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "deep" / "pictures"
    assert write_pictures(folder, 24, seed=3) == 24
    return folder


def test_files_hold_the_rendered_pictures_and_masks(written):
    assert len(list(written.glob("*.png"))) == 24
    for index, facts in enumerate(truth(written)):
        picture = render(3, index)
        assert facts["file"] == f"{index:06d}.png"
        assert np.array_equal(pixels(written / facts["file"]), picture.image)
        mask = Image.open(written / facts["mask"])
        assert mask.mode == "L"
        assert np.array_equal(np.asarray(mask), picture.mask)
        for key in ("kind", "species", "caption", "habitat", "attributes", "concept"):
            assert facts[key] == getattr(picture, key)
        assert (facts["symbol"], facts["style"]) == (picture.symbol, picture.style)


def test_classes_are_listed_by_index(written):
    lines = (written / "masks" / "classes.txt").read_text("utf-8").splitlines()
    assert tuple(lines) == CLASSES
    assert lines[0] == "unlabelled"


def test_labels_are_species_concepts_and_habitats(written):
    rows = list(csv.DictReader((written / "labels.csv").open(encoding="utf-8")))
    expected = {
        facts["file"]: facts["species"] or facts["concept"] or facts["habitat"]
        for facts in truth(written)
    }
    assert {row["file"]: row["label"] for row in rows} == expected


def test_the_folder_is_an_ordinary_source_of_labelled_pictures(written):
    source = open_source(written)
    assert len(source.files) == 24
    assert all(file.label for file in source.files)
    mask = find_mask(written / "masks", source.files[5])
    assert np.array_equal(pixels(mask), render(3, 5).mask)
    assert read_classes(written / "masks") == CLASSES


def test_twins_keep_the_stems_of_their_originals(tmp_path):
    write_pictures(tmp_path / "jays", 4, 5, species="blue jay")
    write_pictures(tmp_path / "twins", 4, 5, species="blue jay", counterfactual={"wing": "grey"})
    for jay, twin in zip(truth(tmp_path / "jays"), truth(tmp_path / "twins"), strict=True):
        assert jay["file"] == twin["file"]
        assert (jay["species"], twin["species"]) == ("blue jay", "Clark's nutcracker")
        one, other = (pixels(tmp_path / name / jay["file"]) for name in ("jays", "twins"))
        wing = pixels(tmp_path / "jays" / jay["mask"]) == CLASSES.index("wing")
        assert 0.8 * wing.sum() < (one != other).any(axis=2).sum() < 1.6 * wing.sum()


def test_birds_of_no_species_are_written_without_labels(tmp_path):
    write_pictures(
        tmp_path / "odd", 3, 5, species="blue jay", counterfactual={"wing": "red", "head": "red"}
    )
    assert [facts["species"] for facts in truth(tmp_path / "odd")] == [None] * 3
    assert [file.label for file in open_source(tmp_path / "odd").files] == [None] * 3


def test_names_choose_what_is_drawn(tmp_path):
    write_pictures(tmp_path / "cards", 3, 1, concept="japan")
    write_pictures(tmp_path / "land", 3, 1, kind="landscape")
    assert {facts["concept"] for facts in truth(tmp_path / "cards")} == {"japan"}
    assert {facts["kind"] for facts in truth(tmp_path / "land")} == {"landscape"}


def test_an_empty_folder_is_filled_and_a_full_one_refused(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    assert write_pictures(folder, 2, 1) == 2
    before = sorted(folder.rglob("*"))
    with pytest.raises(SaecliError, match="holds files already"):
        write_pictures(folder, 2, 1)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("wish", "named"),
    [({"species": "bluejay"}, "blue jay"), ({"counterfactual": {"wing": "gray"}}, "grey")],
)
def test_wrong_names_leave_nothing_behind(tmp_path, wish, named):
    with pytest.raises(SaecliError, match=named):
        write_pictures(tmp_path / "pictures", 2, 1, **wish)
    assert list(tmp_path.iterdir()) == []


def test_no_pictures_are_refused(tmp_path):
    with pytest.raises(SaecliError, match="at least one"):
        write_pictures(tmp_path / "pictures", 0, 1)


class Stopping:
    """Progress that is interrupted after some pictures."""

    def __init__(self, after: int) -> None:
        self.left = after

    def task(self, name, total, unit):
        return self

    def say(self, message):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        return None

    def advance(self, n=1, note=""):
        self.left -= n
        if not self.left:
            raise KeyboardInterrupt


def test_an_interrupt_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_pictures(tmp_path / "pictures", 10, 1, progress=Stopping(after=3))
    assert list(tmp_path.iterdir()) == []


def test_the_built_in_sets_are_train_and_test():
    sizes = {name: (chosen.n, chosen.seed) for name, chosen in BUILT_IN_SETS.items()}
    assert sizes == {"train": (4_000, 1), "test": (2_000, 2)}


def test_a_built_in_set_is_drawn_once(tmp_path, monkeypatch):
    monkeypatch.setitem(writing.BUILT_IN_SETS, "test", BuiltInSet(n=5, seed=2))
    folder = materialise(tmp_path, "test")
    assert folder == tmp_path / "fieldguide" / WORLD_VERSION / "test"
    assert np.array_equal(pixels(folder / "000004.png"), render(2, 4).image)
    drawn = (folder / "truth.jsonl").stat().st_mtime_ns
    assert materialise(tmp_path, "test") == folder
    assert (folder / "truth.jsonl").stat().st_mtime_ns == drawn


def _materialise_small(cache: Path, barrier) -> None:
    writing.BUILT_IN_SETS["test"] = BuiltInSet(n=6, seed=2)
    barrier.wait(30)
    materialise(cache, "test")


def test_two_processes_may_draw_a_built_in_set_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    both = [context.Process(target=_materialise_small, args=(tmp_path, barrier)) for _ in "ab"]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    folder = tmp_path / "fieldguide" / WORLD_VERSION / "test"
    assert len(truth(folder)) == len(list(folder.glob("*.png"))) == 6
    assert [path.name for path in folder.parent.iterdir()] == ["test"]


def test_an_unknown_built_in_set_is_refused(tmp_path):
    with pytest.raises(SaecliError, match="train"):
        materialise(tmp_path, "trian")


def test_every_species_can_be_asked_for(tmp_path):
    for number, name in enumerate(SPECIES):
        write_pictures(tmp_path / str(number), 1, 9, species=name)
        assert truth(tmp_path / str(number))[0]["species"] == name
