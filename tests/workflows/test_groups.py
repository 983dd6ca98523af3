"""Groups of pictures: which group each is of, and which groups chose the latents."""

import pytest
from PIL import Image

from saecli.errors import SaecliError
from saecli.images.decoding import content_hash
from saecli.images.sources import open_source
from saecli.workflows.groups import Groups


@pytest.fixture
def films(tmp_path):
    """Six frames in two folders; `set` is the test's, `explored` another one."""
    for number, name in enumerate(["set/1.png", "set/2.png", "set/3.png", "set/4.png", "ex/5.png"]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(path)
    rows = ["1.png,a", "2.png,a", "3.png,b", "../ex/5.png,b", "4.png,", "gone.png,c"]
    (tmp_path / "groups.csv").write_text("\n".join(["file,group", *rows]))
    return tmp_path


def barred(films, *used):
    source = open_source(films / "set")
    shas = {content_hash(films / name) for name in used}
    groups = Groups.read(films / "groups.csv", source, shas)
    return [file.name for file in source.files if groups.bars(file)]


def test_all_pictures_of_a_group_that_chose_are_barred_and_no_others(films):
    assert barred(films) == []
    assert barred(films, "set/1.png") == ["1.png", "2.png"]
    assert barred(films, "set/4.png") == [], "it is of no group"


def test_a_picture_of_another_folder_bars_its_group_where_the_table_names_it(films):
    assert barred(films, "ex/5.png") == ["3.png"]


def test_every_tested_picture_needs_a_group_and_the_others_may_stand_alone(films):
    source = open_source(films / "set")
    groups = Groups.read(films / "groups.csv", source, ())
    assert groups.labels(source.files[:3]) == ("a", "a", "b")
    with pytest.raises(SaecliError, match=r"gives '4.png' no group"):
        groups.labels(source.files)
    assert len(set(groups.labels_or_names(source.files))) == 3
