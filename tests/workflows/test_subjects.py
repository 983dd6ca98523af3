"""Which pictures an experiment works on: readable, fresh, each once, paired with their masks."""

import shutil

import numpy as np
import pytest
import torch

from saecli.images.sources import ImageFile, ImageSource, open_source
from saecli.progress import SILENT
from saecli.workflows.subjects import (
    Masks,
    draw_fresh,
    predicted_classes,
    read_subjects,
    with_class,
)


@pytest.fixture
def folder(pictures, tmp_path):
    """Twelve pictures without labels; the third is broken, the sixth a copy of the first."""
    place = tmp_path / "set"
    place.mkdir()
    for number in range(12):
        shutil.copy(pictures / f"{number:06}.png", place)
    (place / "000002.png").write_bytes(b"broken")
    shutil.copy(place / "000000.png", place / "000005.png")
    return place


@pytest.fixture(scope="module")
def backbone(models):
    from saecli.backbones import load

    return load(f"dinov2:{models['dinov2']}", device="cpu")


def head(backbone, task, n_classes=2):
    from saecli.experiments.probes import Probe

    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(backbone.d_model, n_classes, generator=generator)
    names = tuple("ab"[:n_classes])
    reads = "patches" if task == "segmentation" else "cls"
    return Probe(task, names, weight, torch.zeros(n_classes), reads, backbone.digest)


def test_no_step_is_announced_where_there_is_no_picture_to_read(folder):
    class Silence:
        def task(self, *announced):
            pytest.fail(f"{announced} was announced")

        say = task

    assert len(read_subjects(open_source(folder), [], Silence())) == 0


def test_a_broken_picture_has_no_prediction_and_the_others_keep_theirs(backbone, folder):
    probe, files = head(backbone, "classification"), open_source(folder).files
    found = predicted_classes(backbone, probe, files, SILENT)
    assert sorted(found) == [0, 1, *range(3, 12)]
    for place in (0, 11):
        (alone,) = predicted_classes(backbone, probe, [files[place]], SILENT).values()
        np.testing.assert_array_equal(found[place], alone)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_pictures_as_predicted_leave_a_broken_one_out(backbone, folder, task):
    probe, source = head(backbone, task), open_source(folder)
    predicted = predicted_classes(backbone, probe, source.files, SILENT)
    a = int(predicted[0][0])
    chosen, rest, by_prediction = with_class(backbone, probe, a, source, None, SILENT)
    assert by_prediction
    assert {file.name for file in (*chosen, *rest)} == {
        f"{number:06}.png" for number in range(12) if number != 2
    }
    assert [file.name for file in chosen] == [
        source.files[place].name for place, classes in sorted(predicted.items()) if a in classes
    ]


def test_pictures_without_a_label_are_neither_with_the_class_nor_without(backbone, folder):
    files = open_source(folder).files
    labels = ["a", "b", None, "a", None]
    source = ImageSource(
        "set",
        folder,
        tuple(ImageFile(f.path, f.name, label) for f, label in zip(files, labels, strict=False)),
    )
    probe = head(backbone, "classification")
    chosen, rest, by_prediction = with_class(backbone, probe, 0, source, None, SILENT)
    assert not by_prediction
    assert [file.name for file in chosen] == [files[0].name, files[3].name]
    assert [file.name for file in rest] == [files[1].name]


def test_a_copy_under_another_name_counts_once_and_a_used_picture_not_at_all(folder):
    source = open_source(folder)
    subjects = read_subjects(source, source.files, SILENT)
    used = {subjects.infos[3].sha256}
    kept, n_used, n_repeated = subjects.fresh(used)
    assert (len(subjects), len(kept), n_used, n_repeated) == (11, 9, 1, 1)
    hashes = [info.sha256 for info in kept.infos]
    assert len(set(hashes)) == len(hashes)
    assert not used & set(hashes)
    assert [file.name for file in kept.files] == sorted(file.name for file in kept.files)


def test_pictures_are_drawn_fresh_once_and_by_the_seed(folder):
    source = open_source(folder)
    hashes = {
        file.name: info.sha256
        for subjects in [read_subjects(source, source.files, SILENT)]
        for file, info in zip(subjects.files, subjects.infos, strict=True)
    }
    used = {hashes["000007.png"]}
    names = {file.name for file in draw_fresh(source.files, used, 100, seed=0)}
    assert "000007.png" not in names
    assert len(names & {"000000.png", "000005.png"}) == 1
    few = [draw_fresh(source.files, used, 4, seed=seed) for seed in (1, 1, 2)]
    assert few[0] == few[1] != few[2]
    assert all(len(drawn) == 4 for drawn in few)


def test_masks_show_a_class_where_it_holds_half_of_a_patch(backbone, pictures):
    source = open_source(pictures)
    masks = Masks.find(source, None)
    assert masks is not None
    shares = masks.shares(backbone, source.files)[..., masks.index("sky")]
    for file, share in zip(source.files, shares, strict=True):
        assert masks.show(backbone, file, "sky") == bool((share >= 0.5).any())
