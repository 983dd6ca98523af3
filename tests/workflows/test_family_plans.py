"""Plan files: grids, what is shared, controls for the whole family, and what is refused."""

from pathlib import Path

import pytest

from saecli.errors import SaecliError
from saecli.refs import Concept
from saecli.workflows.family_plans import Choice, read_family

SHARED = 'images = "world"\nprobe = "species"\n'
ONE = '[[hypothesis]]\nlatents = "clip:3"\nclass = "a"\n'


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        (tmp_path / "plan.toml").write_text(text)
        return read_family(tmp_path / "plan.toml")

    return read_text


def test_what_is_shared_holds_where_an_entry_says_nothing(read):
    first, second = read(
        SHARED + 'scope = "all"\nseed = 3\nmasks = "m"\n'
        '[[hypothesis]]\nlatents = "clip:3+1"\nclass = "a"\nexpect = "b"\nvalue = "set:-2.0"\n'
        '[[hypothesis]]\nlatents = "clip:9"\nclass = "b"\nscope = "active"\nn_images = 40\n'
    )
    assert first.latents == first.plan.concept == Concept("clip", (1, 3))
    assert (first.plan.images, first.plan.probe, first.plan.seed) == ("world", "species", 3)
    assert (first.plan.scope, second.plan.scope) == ("all", "active")
    assert (first.plan.value, second.plan.value) == ("set:-2", "ablate")
    assert (first.plan.masks, second.plan.n_images) == (Path("m"), 40)
    assert (first.plan.expect, second.plan.expect) == ("b", None)


def test_lists_make_a_grid_and_doses_do_not(read):
    found = read(
        SHARED + '[[hypothesis]]\nlatents = ["clip:1", "clip:2+3"]\nclass = ["a", "b", "c"]\n'
        'doses = ["set:1", "set:-1"]\n' + ONE
    )
    combinations = [(str(one.plan.concept), one.plan.class_name) for one in found]
    assert combinations == [
        *((latent, name) for latent in ("clip:1", "clip:2+3") for name in "abc"),
        ("clip:3", "a"),
    ]
    assert [one.number for one in found] == [1] * 6 + [2]
    assert {one.plan.doses for one in found} == {("set:-1", "set:1"), ()}


def test_every_hypothesis_has_the_family_s_size_and_enough_controls(read):
    grid = "[[hypothesis]]\nclass = 'a'\nlatents = [" + ",".join(f"'clip:{i}'" for i in range(20))
    found = read(SHARED + grid + "]\n")
    assert {one.plan.rule.family for one in found} == {20}
    assert {one.plan.controls.n for one in found} == {399}
    few = read(SHARED + "alpha = 0.1\n" + ONE)[0].plan
    assert (few.controls.n, few.rule.alpha) == (99, 0.1)
    with pytest.raises(SaecliError, match=r"199 controls .* 20 hypotheses .* at least 399"):
        read(SHARED + "controls = 199\n" + grid + "]\n")


def test_latents_may_be_chosen_on_pictures_of_their_own(read):
    by_masks, by_folders = read(
        SHARED + '[[hypothesis]]\nclass = "a"\nlatents = [{auto = 2, dictionary = "clip", '
        'images = "other", masks = "m"}, {auto = 1, dictionary = "clip", positives = "p", '
        'negatives = "n", n_images = 9}]\n'
    )
    assert by_masks.latents == Choice(2, "clip", images="other", masks=Path("m"))
    assert by_folders.latents == Choice(1, "clip", positives="p", negatives="n", n_images=9)
    assert by_masks.planned(Concept("clip", (4,))).concept == Concept("clip", (4,))


CHOICE = '[[hypothesis]]\nclass = "a"\nlatents = '


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("images = ", "is no TOML"),
        (SHARED, "holds no hypothesis"),
        (SHARED + "hypothesis = 3\n", "holds no hypothesis"),
        (SHARED + ONE + 'latent = "clip:4"\n', "hypothesis 1 .* key 'latent'.* write latents"),
        (SHARED + "[defaults]\nvalue = 'ablate'\n" + ONE, "the key 'defaults'"),
        (SHARED + ONE + ONE.replace("3", "4") + "value = 2\n", "hypothesis 2 .*'value' is 2"),
        (SHARED + ONE + "value = 'half'\n", "hypothesis 1 .*'half' is no value"),
        (SHARED + ONE + "controls = true\n", "'controls' is True"),
        (SHARED + ONE + "controls = 5\n", "hypothesis 1 .*5 controls"),
        (SHARED + ONE + "seed = -1\n", "'seed' is -1"),
        (SHARED + ONE + "most_without = 20\n", "'most_without' is 20"),
        (SHARED + ONE + "alpha = 0.1\n", "'alpha' of its own"),
        (SHARED + ONE + "doses = ['set:1', 'scale:2']\n", "hypothesis 1 .*of two kinds"),
        (SHARED + ONE + "masks = ['a']\n", "'masks' is"),
        (SHARED + ONE.replace("clip:3", "clip"), "hypothesis 1 .*'clip' is no latent reference"),
        (SHARED + ONE.replace("latents", "#"), "hypothesis 1 .*no 'latents'"),
        ('images = "x"\n' + ONE, "no 'probe'"),
        (SHARED + ONE + ONE, "hypotheses 1 and 2 .* are the same"),
        (SHARED + CHOICE + '{auto = 1, dictionary = "clip"}', "on which pictures"),
        (SHARED + CHOICE + '{dictionary = "clip", images = "x"}', "on which pictures"),
        (SHARED + CHOICE + '{auto = 0, dictionary = "clip", images = "x"}', "'latents.auto' is 0"),
        (SHARED + CHOICE + '{auto = 1, name = "clip"}', "the key 'name'"),
        (SHARED + CHOICE + "[]", "'latents' is \\[\\]"),
    ],
)
def test_a_wrong_plan_is_refused_by_entry_and_key(read, text, words):
    with pytest.raises(SaecliError, match=words):
        read(text)


def test_a_missing_plan_is_refused(tmp_path):
    with pytest.raises(SaecliError, match="can't be read"):
        read_family(tmp_path / "none.toml")
