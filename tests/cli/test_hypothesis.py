"""`saecli hypothesis`, `experiments`, `show experiment:N`, `rerun`, `label --refuted-by`."""

import json
import shlex
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from saecli.demo.writing import write_pictures
from tests.cli.conftest import JAY, NUT
from tests.commands import Saecli

TEXT = "it makes it a blue jay"


def options(birds, **changes):
    given = {
        "images": birds / "test",
        "probe": "species",
        "class": JAY,
        "expect": NUT,
        "controls": 19,
    } | changes
    return [word for key, value in given.items() for word in (f"--{key}", value)]


def add(birds, ref, text=TEXT, **changes):
    return ["hypothesis", "add", text, "--latents", ref, *options(birds, **changes)]


def refuses(outcome, code, *words):
    assert outcome.code == code, outcome.err
    for word in words:
        assert word in outcome.sentence


@pytest.fixture(scope="session")
def latent(bench):
    """The latent that fires most."""
    from saecli.catalog.opening import open_catalog
    from saecli.catalog.showing import show_dictionary

    with open_catalog(bench / "catalog.db") as catalog, catalog.reading() as session:
        return show_dictionary(session, "clip", top=1).latents[0].ref


@pytest.fixture(scope="session")
def tested(bench, birds, latent, tmp_path_factory):
    """Hypothesis 1, registered and run as experiment 1; 2, of the same claim, run at once."""
    from saecli.cli.app import main

    folder = tmp_path_factory.mktemp("tested") / "here"
    shutil.copytree(bench, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = [
            add(birds, latent),
            ["label", latent, "blue wing", "--author", "ada"],
            ["knockout", "--hypothesis", "1"],
            ["knockout", latent, *options(birds, value="scale:0.5")],
        ]
        for line in words:
            assert main([*map(str, line), "-q"]) == 0
    return folder


@pytest.fixture
def saecli_tested(tested, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(tested, folder)
    return Saecli(folder, monkeypatch, capsys)


def test_a_hypothesis_is_kept_with_its_whole_plan_before_anything_runs(saecli_bench, birds, latent):
    stated = saecli_bench.json(*add(birds, latent, alpha=0.1, **{"smallest-effect": 0.2}))
    assert (stated["number"], stated["registered"], stated["replaces"]) == (1, True, None)
    assert len(stated["hash"]) == 64
    assert stated["n_images"] == 24
    shown = saecli_bench.json("show", "hypothesis:1")
    assert (shown["statement"], shown["hash"]) == (TEXT, stated["hash"])
    plan = shown["plan"]
    assert (plan["rule"]["alpha"], plan["rule"]["smallest_share"]) == (0.1, 0.2)
    assert plan["rule"]["least_images"] == 20
    assert plan["images"] == str(birds / "test")
    named = ("dictionary", "backbone", "probe", "profile", "pictures", "chosen")
    assert all(len(plan["digests"][name]) == 64 for name in named)
    assert saecli_bench.json("list")["experiments"] == []
    (row,) = saecli_bench.json("hypothesis", "list")["hypotheses"]
    assert (row["number"], row["registered"], row["verdicts"]) == (1, True, {})


def test_stating_the_same_plan_again_changes_nothing_and_another_is_another(
    saecli_bench, birds, latent
):
    first = saecli_bench.json(*add(birds, latent))
    assert saecli_bench.json(*add(birds, latent)) == first
    other = saecli_bench.json(*add(birds, latent, seed=1))
    assert other["number"] == 2
    assert other["hash"] != first["hash"]
    assert other["replaces"] is None, "nothing was run that could have been looked at"
    assert saecli_bench.json(*add(birds, latent, seed=2, replaces=1))["replaces"] == 1


def test_a_registered_hypothesis_is_run_as_it_was_stated(saecli_tested, latent):
    shown = saecli_tested.json("show", "experiment:1")
    report = shown["report"]
    assert report["registered"] is True
    assert report["hypothesis"] == 1
    assert (report["class"], report["expect"], report["latents"]) == (JAY, NUT, [latent])
    assert (report["n_images"], report["seed"], report["value"]) == (24, 0, "ablate")
    assert report["labels"] == {latent: "blue wing"}
    assert "registered: stated before the run" in saecli_tested("show", "experiment:1").out


def test_what_a_hypothesis_fixes_can_t_be_given_beside_it(saecli_tested):
    run = ("knockout", "--hypothesis", 1)
    refuses(saecli_tested(*run, "--value", "set:-2"), 2, "--value would change it")
    refuses(saecli_tested(*run, "--seed", "0"), 2, "--seed would change it")
    refuses(saecli_tested("knockout", "clip:3", *run[1:]), 2, "the latents would change it")
    refuses(saecli_tested("knockout", "--hypothesis", 9), 1, "no hypothesis 9")


def test_another_plan_after_a_run_replaces_the_one_that_was_run(saecli_tested, birds, latent):
    rows = saecli_tested.json("hypothesis", "list")["hypotheses"]
    assert [(row["number"], row["registered"], row["replaces"]) for row in rows] == [
        (1, True, None),
        (2, False, 1),
    ]
    again = saecli_tested.json(*add(birds, latent, seed=5))
    assert (again["number"], again["replaces"]) == (3, 2)
    known = saecli_tested.json(*add(birds, latent, value="scale:0.5"))
    assert (known["registered"], known["replaces"]) == (True, 2), "its result was known before"
    assert saecli_tested.json("show", "hypothesis:1")["replaced_by"] == [2]


def test_how_often_the_pictures_judged_claims_about_the_class_before_is_said(saecli_tested, birds):
    first = saecli_tested.json("show", "experiment:1")["report"]
    assert first["n_earlier"] == 0
    latent = first["latents"][0]
    number = int(latent.rpartition(":")[2])
    refs = [f"clip:{n}" for n in range(48) if n != number]
    done = saecli_tested.json(
        "knockout", "+".join([refs[0], *(r[5:] for r in refs[1:12])]), *options(birds)
    )
    assert done["n_earlier"] == 2
    shown = saecli_tested("show", "experiment:3").out
    assert "2 other hypotheses about the class judged on some of these pictures before" in shown
    assert saecli_tested.json("rerun", "experiment:1")["identical"] is True


def test_what_was_not_registered_is_exploratory_in_every_output(saecli_tested, latent):
    assert saecli_tested.json("show", "experiment:2")["report"]["registered"] is False
    assert "exploratory: stated by the run itself" in saecli_tested("show", "experiment:2").out
    for rows in (saecli_tested.json("list"), saecli_tested.json("show", latent)):
        assert [row["registered"] for row in rows["experiments"]] == [True, False]
    for words in (("list",), ("show", latent), ("experiments",), ("hypothesis", "list")):
        out = saecli_tested(*words).out
        assert "registered" in out
        assert "exploratory" in out


def test_experiments_are_listed_by_what_is_asked_for(saecli_tested, latent):
    def numbers(*filters):
        found = saecli_tested.json("experiments", *filters)["experiments"]
        return [row["number"] for row in found]

    first, second = saecli_tested.json("experiments")["experiments"]
    assert first["latents"] == [latent]
    assert first["labels"] == {latent: "blue wing"}
    assert [first["replaces"], second["replaces"]] == [None, 1]
    assert numbers("--registered") == [1]
    assert numbers("--exploratory") == [2]
    assert numbers("--class", JAY) == numbers("--latent", latent) == [1, 2]
    assert numbers("--class", NUT) == numbers("--latent", "clip:0") == []
    for verdict in ("supported", "refuted", "inconclusive"):
        expected = [row["number"] for row in (first, second) if row["verdict"] == verdict]
        assert numbers("--verdict", verdict) == expected


def test_an_experiment_is_shown_with_every_arm_and_picture(saecli_tested):
    shown = saecli_tested.json("show", "experiment:1")
    report = shown["report"]
    effects = {(arm["kind"], arm["number"]): arm["effect"] for arm in shown["arms"]}
    assert effects["target", 0] == pytest.approx(report["effect"], abs=1e-12)
    others = [effect for (kind, _), effect in effects.items() if kind == "other_latents"]
    control = report["controls"]["other_latents"]
    assert len(others) == control["n"]
    assert np.mean(others) == pytest.approx(control["mean"], abs=1e-12)
    whole = [one for one in shown["trials"] if one["with_class"]]
    assert len(whole) == report["n_images"]
    change = np.mean([one["after"] - one["before"] for one in whole])
    assert change == pytest.approx(report["effect"], abs=1e-12)
    without = [one for one in shown["trials"] if not one["with_class"]]
    change = np.mean([one["after"] - one["before"] for one in without])
    assert change == pytest.approx(report["specificity"]["effect_without"], abs=1e-12)
    assert all(one["image"]["path"] for one in shown["trials"])


def test_an_experiment_run_again_is_identical(saecli_tested):
    found = saecli_tested.json("rerun", "experiment:1")
    assert (found["experiment"], found["identical"], found["differences"]) == (1, True, [])
    assert found["rerun"] == 3
    assert saecli_tested.json("show", "experiment:1")["reruns"] == [3]
    last = saecli_tested.json("experiments")["experiments"][-1]
    assert (last["number"], last["rerun_of"], last["hypothesis"]) == (3, 1, 1)


def test_a_figure_that_differs_is_named_with_its_picture_arm_and_size(saecli_tested):
    from saecli.catalog.opening import open_catalog
    from saecli.catalog.trials import add_trials, read_trials

    with open_catalog(saecli_tested.folder / "catalog.db", write=True) as catalog:
        with catalog.reading() as session:
            trial = read_trials(session, 1)[4]
        figures = {name: array.copy() for name, array in trial.figures.items()}
        figures["margin"][3] += 0.25
        with catalog.writing() as session:
            add_trials(session, 1, [(4, figures)])
    found = saecli_tested.json("rerun", "experiment:1")
    assert found["identical"] is False
    (one,) = found["differences"]
    assert (one["figure"], one["arm"], one["n_values"]) == ("margin", "other_latents 0", 1)
    assert one["image"]["id"] == trial.image_id
    assert one["stored"] - one["now"] == pytest.approx(0.25, abs=1e-12)
    outcome = saecli_tested("rerun", "experiment:1")
    assert outcome.code == 0
    assert "1 differ" in outcome.out


def test_only_a_finished_experiment_is_run_again(saecli_tested):
    refuses(saecli_tested("rerun", "experiment:9"), 1, "no experiment:9")
    refuses(saecli_tested("rerun", "hypothesis:1"), 2, "names no experiment")
    with closing(sqlite3.connect(saecli_tested.folder / "catalog.db")) as raw, raw:
        raw.execute("update experiment set verdict = null, report = null where id = 2")
    refuses(saecli_tested("rerun", "experiment:2"), 1, "experiment 2 is unfinished")


def unfinish(saecli, number, done=10):
    """As if the experiment had been interrupted after so many pictures."""
    with closing(sqlite3.connect(saecli.folder / "catalog.db")) as raw, raw:
        raw.execute("update experiment set verdict = null, report = null where id = ?", (number,))
        raw.execute(
            "update trial set figures = null where experiment_id = ? and position >= ?",
            (number, done),
        )


def test_an_interrupted_rerun_that_knockout_finishes_is_a_rerun_still(saecli_tested):
    assert saecli_tested.json("rerun", "experiment:1")["rerun"] == 3
    unfinish(saecli_tested, 3)
    assert saecli_tested.json("show", "experiment:3")["rerun_of"] == 1
    outcome = saecli_tested("knockout", "--hypothesis", 1, "--json")
    assert outcome.document["experiment"] == 3
    assert "no further evidence" not in outcome.err
    rows = saecli_tested.json("experiments")["experiments"]
    assert [(row["number"], row["rerun_of"]) for row in rows] == [(1, None), (2, None), (3, 1)]
    assert saecli_tested.json("show", "experiment:1")["reruns"] == [3]


def test_an_unfinished_experiment_tells_the_command_that_goes_on_with_it(
    saecli_tested, birds, latent
):
    run = ["knockout", latent, *options(birds, value="scale:0.25")]
    number = saecli_tested.json(*run)["experiment"]
    unfinish(saecli_tested, number)
    outcome = saecli_tested("rerun", f"experiment:{number}")
    told = outcome.sentence.partition("go on with the command that began it: ")[2]
    assert shlex.split(told) == ["saecli", *map(str, run), "--json"]


def test_the_same_plan_on_the_same_pictures_is_said_to_be_no_further_evidence(
    saecli_tested, birds, latent
):
    note = "experiment 1 tested this very plan on these pictures"
    again = saecli_tested("knockout", "--hypothesis", 1, "--json")
    assert note in again.err
    assert "saecli rerun experiment:1" in again.err
    assert again.document["experiment"] == 3
    for other in (
        saecli_tested("rerun", "experiment:1"),
        saecli_tested("knockout", latent, *options(birds, seed=9)),
    ):
        assert other.code == 0, other.err
        assert "no further evidence" not in other.err


def test_a_plan_restated_after_a_run_is_said_to_have_been_tested_wherever_it_is_shown(
    saecli_tested, birds, latent
):
    words = "registered after experiment 2 had tested this very plan"
    plan = add(birds, latent, value="scale:0.5")
    assert words in " ".join(saecli_tested(*plan).out.split())
    stated = saecli_tested.json(*plan)
    assert (stated["number"], stated["registered"], stated["tested_before"]) == (3, True, [2])
    run = saecli_tested("knockout", "--hypothesis", 3, "--json")
    assert "experiment 2 tested this very plan on these pictures" in run.err
    assert "no further evidence" in run.err
    report = run.document
    assert (report["experiment"], report["tested_before"]) == (3, [2])
    assert report["n_earlier"] == 1, "hypothesis 1's plan is another, hypothesis 2's this one"
    for shown in ("hypothesis:3", "experiment:3"):
        out = " ".join(saecli_tested("show", shown).out.split())
        assert words in out
        assert "stated before the run" not in out
    assert saecli_tested.json("show", "hypothesis:3")["tested_before"] == [2]
    rows = saecli_tested.json("experiments")["experiments"]
    assert [row["tested_before"] for row in rows] == [[], [], [2]]
    for listed in (("list",), ("show", latent)):
        rows = saecli_tested.json(*listed)["experiments"]
        assert [row["tested_before"] for row in rows] == [[], [], [2]]
        assert "registered after experiment 2" in saecli_tested(*listed).out
    assert saecli_tested.json("rerun", "experiment:3")["identical"] is True
    assert saecli_tested.json("show", "experiment:1")["report"]["tested_before"] == []


def test_pictures_whose_patches_vanish_in_the_run_leave_too_few_to_judge(
    saecli_tested, birds, latent
):
    from saecli.catalog.opening import open_catalog
    from saecli.catalog.trials import add_trials, read_trials

    unfinish(saecli_tested, 2, done=99)
    with open_catalog(saecli_tested.folder / "catalog.db", write=True) as catalog:
        with catalog.reading() as session:
            trials = read_trials(session, 2)[:5]
        for trial in trials:
            trial.figures["n_target"] = np.zeros_like(trial.figures["n_target"])
        with catalog.writing() as session:
            add_trials(session, 2, [(trial.position, trial.figures) for trial in trials])
    outcome = saecli_tested("knockout", latent, *options(birds, value="scale:0.5"))
    left = f"19 pictures of '{JAY}' are left to test on"
    refuses(outcome, 1, left, "5 left out because no patch")
    assert saecli_tested.json("show", "experiment:2")["verdict"] is None


def judged(saecli, number, verdict):
    with closing(sqlite3.connect(saecli.folder / "catalog.db")) as raw, raw:
        raw.execute("update experiment set verdict = ? where id = ?", (verdict, number))


@pytest.mark.parametrize("verdict", ["supported", "inconclusive"])
def test_only_a_refuted_hypothesis_ends_a_label(saecli_tested, latent, verdict):
    judged(saecli_tested, 1, verdict)
    outcome = saecli_tested("label", latent, "--refuted-by", "experiment:1")
    refuses(outcome, 1, f"experiment 1 came out {verdict}, which is no evidence against a label")
    assert saecli_tested.json("show", latent)["label"] == "blue wing"


def test_an_experiment_refutes_the_label_of_a_latent_that_it_edited(saecli_tested, latent):
    judged(saecli_tested, 1, "refuted")
    ended = saecli_tested.json(
        "label", latent, "--refuted-by", "experiment:1", "--author", "bo", "--note", "no wing"
    )
    assert (ended["label"], ended["status"], ended["experiment"]) == ("blue wing", "refuted", 1)
    shown = saecli_tested.json("show", latent)
    assert shown["label"] is None
    assert [row["status"] for row in shown["labels"]] == ["refuted"]
    refute = ("--refuted-by", "experiment:1")
    refuses(saecli_tested("label", latent, *refute), 1, "has no current label")
    saecli_tested.json("label", "clip:0", "sky")
    refuses(saecli_tested("label", "clip:0", *refute), 1, "did not edit clip:0")
    refuses(saecli_tested("label", "clip:0", "--refuted-by", "experiment:9"), 1, "experiment:9")
    refuses(saecli_tested("label", "clip:0", "words", *refute), 2, "by its words")
    refuses(saecli_tested("label", "clip:0"), 2, "by its words")
    with closing(sqlite3.connect(saecli_tested.folder / "catalog.db")) as raw, raw:
        raw.execute("update experiment set verdict = null, report = null where id = 2")
    saecli_tested.json("label", latent, "wing again")
    unfinished = saecli_tested("label", latent, "--refuted-by", "experiment:2")
    refuses(unfinished, 1, "experiment 2 is unfinished")


def test_a_picture_looked_at_since_did_not_help_to_choose_the_latents(saecli_tested, birds, latent):
    from saecli.catalog.dictionaries import get_dictionary
    from saecli.catalog.images import find_image
    from saecli.catalog.observations import add_observation
    from saecli.catalog.opening import open_catalog
    from saecli.images.decoding import content_hash

    seen = content_hash(birds / "test" / JAY / "000002.png")
    with (
        open_catalog(saecli_tested.folder / "catalog.db", write=True) as catalog,
        catalog.begin("inspect", []) as invocation,
        catalog.writing() as session,
    ):
        add_observation(
            session,
            invocation.id,
            image_id=find_image(session, seen).id,
            dictionary=get_dictionary(session, "clip"),
            patches=[3],
            latents=[(int(latent.split(":")[1]), 1.0)],
        )
    again = saecli_tested.json("knockout", "--hypothesis", 1)
    assert (again["n_images"], again["n_excluded"]) == (24, 0)
    assert saecli_tested.json("rerun", "experiment:1")["identical"] is True
    fresh = saecli_tested.json(*add(birds, latent, seed=8))
    assert (fresh["n_images"], fresh["n_excluded"]) == (23, 1)


@pytest.mark.parametrize("done", [10, 40])
def test_an_interrupted_test_of_a_hypothesis_goes_on_where_it_stopped(saecli_tested, done):
    """24 pictures with the class come first, then 24 without it."""
    with closing(sqlite3.connect(saecli_tested.folder / "catalog.db")) as raw, raw:
        (first,) = raw.execute("select report from experiment where id = 1").fetchone()
        raw.execute("update experiment set verdict = null, report = null where id = 1")
        raw.execute(
            "update trial set figures = null where experiment_id = 1 and position >= ?", (done,)
        )
    assert saecli_tested.json("show", "hypothesis:1")["unfinished"] == [1]
    shown = saecli_tested.json("show", "experiment:1")
    assert sum(one["before"] is not None for one in shown["trials"]) == done
    finished = saecli_tested.json("knockout", "--hypothesis", 1)
    # Hypothesis 2 was judged on these pictures while this one stood still.
    assert finished == json.loads(first) | {"n_earlier": 1}


def test_segmentation_is_stated_run_and_run_again_and_its_masks_are_held(saecli_bench, tmp_path):
    write_pictures(tmp_path / "world", 40, 11)
    found = saecli_bench.json("detect", "dinov2", "--images", tmp_path / "world", "--class", "sky")
    chosen = found["latents"][0]["ref"]
    other = tmp_path / "other"
    write_pictures(other, 40, 12)
    stated = saecli_bench.json(
        *("hypothesis", "add", "it is the sky", "--latents", chosen, "--images", other),
        *("--probe", "ground", "--class", "sky", "--controls", 19),
    )
    ran = saecli_bench.json("knockout", "--hypothesis", 1)
    assert (ran["registered"], ran["n_images"]) == (True, stated["n_images"])
    assert saecli_bench.json("rerun", "experiment:1")["identical"] is True
    masks = sorted((other / "masks").glob("*.png"))
    shutil.copy(masks[0], masks[1])
    outcome = saecli_bench("rerun", "experiment:1")
    assert outcome.code == 1
    assert "since hypothesis 1 was stated" in outcome.sentence


@pytest.fixture
def own(birds, tmp_path):
    """Pictures that a test may change, with their groups and twins."""
    folder = tmp_path / "own"
    shutil.copytree(birds / "test", folder / "set")
    shutil.copytree(birds / "twins", folder / "twins")
    names = sorted(path.relative_to(folder / "set") for path in (folder / "set").rglob("*.png"))
    lines = [f"{name.as_posix()},{number // 2}" for number, name in enumerate(names)]
    (folder / "groups.csv").write_text("\n".join(["file,group", *lines]))
    return folder


def whole(own, birds, latent):
    return add(
        birds,
        latent,
        images=own / "set",
        twins=own / "twins",
        groups=own / "groups.csv",
        **{"least-images": 10},
    )


def damage(path):
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (f"set/{NUT}/000003.png", "the pictures of"),
        ("twins/000003.png", "the twins in"),
        ("groups.csv", "the groups in"),
    ],
)
def test_a_changed_folder_is_refused(saecli_bench, birds, latent, own, changed, words):
    saecli_bench.json(*whole(own, birds, latent))
    if changed == "groups.csv":
        text = (own / changed).read_text()
        (own / changed).write_text(text.replace(",17\n", ",16\n"))
    else:
        damage(own / changed)
    outcome = saecli_bench("knockout", "--hypothesis", 1)
    refuses(outcome, 1, words, "changed since hypothesis 1 was stated", "--replaces 1")
    assert saecli_bench.json("list")["experiments"] == []


def test_a_retrained_dictionary_is_refused(saecli_bench, models, pictures, birds, latent):
    saecli_bench.json(*add(birds, latent))
    trained = saecli_bench(
        *("train", "--backbone", f"clip:{models['clip']}", "--images", pictures, "--name", "new"),
        *("--latents", "48", "--k", "4", "--n-patches", "4000", "--batch", "256", "--layer", "1"),
        *("--seed", "5", "--no-profile"),
    )
    assert trained.code == 0, trained.err
    with closing(sqlite3.connect(saecli_bench.folder / "catalog.db")) as raw, raw:
        (new,) = raw.execute("select sha256 from dictionary where name = 'new'").fetchone()
        raw.execute("update dictionary set sha256 = 'gone' where name = 'new'")
        raw.execute(
            "update dictionary set sha256 = ?, checkpoint_id = (select checkpoint_id from "
            "dictionary where name = 'new') where name = 'clip'",
            (new,),
        )
    outcome = saecli_bench("knockout", "--hypothesis", 1)
    words = "the dictionary 'clip' was trained again since hypothesis 1 was stated"
    refuses(outcome, 1, words, "--replaces 1")


def test_another_profile_does_not_change_a_stated_plan(saecli_bench, birds, latent, pictures):
    saecli_bench.json(*add(birds, latent, value="set:-1"))
    saecli_bench.json("profile", "clip", "--images", birds / "train")
    found = saecli_bench.json("knockout", "--hypothesis", 1)
    assert found["registered"] is True
    plans = [row["plan"] for row in [saecli_bench.json("show", "experiment:1")]]
    assert [plan["profile"] for plan in plans] == [str(pictures)]


def test_intervals_resample_groups_and_too_few_are_refused(saecli_bench, birds, latent, own):
    groups = ("--groups", own / "groups.csv")
    given = options(birds, images=own / "set")
    refuses(
        saecli_bench("knockout", latent, *given, *groups),
        1,
        f"24 pictures of '{JAY}' are of 12 groups",
        "at least 20 groups",
    )
    alone = saecli_bench.json("knockout", latent, *given)
    grouped = saecli_bench.json("knockout", latent, *given, *groups, "--least-images", 10)
    assert grouped["effect"] == alone["effect"]
    assert grouped["ci"] != alone["ci"]
    refuses(saecli_bench("knockout", latent, *given, "--groups", "no.csv"), 1, "no.csv")


def test_other_pictures_of_a_group_that_chose_the_latents_are_left_out_too(
    saecli_bench, birds, latent, own
):
    pictures = own / "set" / JAY
    for name in ("000002.png", "000005.png"):
        seen = saecli_bench.json("inspect", pictures / name, "--dictionary", "clip", "--top", 48)
        assert latent in [row["ref"] for row in seen["latents"]]
    given = [*options(birds, images=own / "set"), "--least-images", 10]
    alone = saecli_bench.json("knockout", latent, *given)
    assert (alone["n_images"], alone["n_excluded"], alone["n_excluded_by_group"]) == (22, 2, 0)
    groups = ("--groups", own / "groups.csv")  # two neighbours each
    outcome = saecli_bench("knockout", latent, *given, *groups)
    assert outcome.code == 0, outcome.err
    words = (
        "2 left out (they helped to choose the latents), 2 left out (others of their groups did)"
    )
    assert words in outcome.out
    shown = saecli_bench.json("show", "experiment:2")
    tested = {one["image"]["path"] for one in shown["trials"] if one["with_class"]}
    left = {str(pictures / f"00000{n}.png") for n in (2, 3, 4, 5)}
    assert tested == {str(path) for path in pictures.iterdir()} - left
    stated = saecli_bench.json(
        *add(birds, latent, images=own / "set"), "--least-images", 10, *groups
    )
    assert (stated["n_images"], stated["n_excluded"], stated["n_excluded_by_group"]) == (20, 2, 2)
    few = saecli_bench("knockout", latent, *given[:-2], *groups, "--least-images", 21)
    refuses(few, 1, "20 pictures", "2 left out because others of their groups did")


def test_wrong_input_is_refused_when_it_is_stated(saecli_bench, birds, latent):
    refuses(saecli_bench(*add(birds, latent, text="  ")), 2, "blank")
    refuses(saecli_bench(*add(birds, "dinov2:3")), 1, "another backbone")
    two = [*add(birds, "clip:3"), "--latents", "dinov2:3"]
    refuses(saecli_bench(*two), 2, "of 2 dictionaries (clip, dinov2)")
    unknown = saecli_bench(*add(birds, latent, **{"class": "bluejay"}))
    refuses(unknown, 1, "no class 'bluejay'", JAY)
    only = saecli_bench(*add(birds, latent, images=birds / "test" / NUT))
    refuses(only, 1)
    few = saecli_bench(*add(birds, latent, **{"n-images": 20}))
    refuses(few, 1, f"10 pictures of '{JAY}' are left", "give at least 20")
    refuses(saecli_bench(*add(birds, latent, controls=5)), 1, "5 controls")
    refuses(saecli_bench(*add(birds, latent, replaces=9)), 1, "no hypothesis 9")
    refuses(saecli_bench(*add(birds, latent)[:5]), 2, "--images", "--probe", "--class")
    assert saecli_bench.json("hypothesis", "list")["hypotheses"] == []


def test_the_help_tells_the_rule_s_own_defaults(saecli):
    from saecli.experiments.controls import ControlSettings
    from saecli.experiments.verdicts import Rule

    told = " ".join(saecli("knockout", "--help").out.replace("│", " ").split())
    rule = Rule()
    defaults = (
        ControlSettings().n,
        rule.alpha,
        rule.smallest_share,
        rule.most_without,
        rule.least_images,
    )
    for value in defaults:
        assert f"default: {value:g}." in told


def test_looking_at_hypotheses_and_experiments_loads_no_model_library(tested):
    from tests.cli.test_startup import MODELS, run

    for words in (
        ("experiments",),
        ("hypothesis", "list"),
        ("show", "experiment:1"),
        ("show", "hypothesis:1"),
    ):
        code, loaded = run([*words, "--catalog", str(tested / "catalog.db")], MODELS)
        assert (code, loaded) == (0, []), words
