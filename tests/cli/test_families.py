"""`saecli knockout --plan` and `--doses`: many hypotheses judged together, and rows of values."""

import signal
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from saecli.demo.writing import write_pictures
from saecli.experiments.families import benjamini_hochberg, holm
from tests.cli.conftest import JAY, NUT
from tests.commands import run, start

SETS = ("clip:1+5+9", "clip:2+11+30+31", "clip:7+8+20")


def write_plan(saecli, birds, entries, shared="alpha = 0.2\ncontrols = 19\n"):
    text = f'images = "{birds / "test"}"\nprobe = "species"\n{shared}\n'
    for entry in entries:
        text += f"[[hypothesis]]\n{entry}\n"
    (saecli.folder / "plan.toml").write_text(text)


def three(saecli, birds):
    write_plan(saecli, birds, [f'latents = {list(SETS)}\nclass = "{JAY}"\nexpect = "{NUT}"'])


def verdicts(saecli):
    return [row["verdict"] for row in saecli.json("list")["experiments"]]


def test_a_family_is_judged_by_p_values_adjusted_for_all(saecli_bench, birds):
    three(saecli_bench, birds)
    found = saecli_bench.json("knockout", "--plan", "plan.toml")
    assert {"plan", "size", "alpha", "controls", "verdicts", "experiments"} <= set(found)
    assert (found["size"], found["alpha"], found["controls"]) == (3, 0.2, 19)
    experiments = found["experiments"]
    assert [one["latents"][0] for one in experiments] == ["clip:1", "clip:2", "clip:7"]
    p = [one["p_value"] for one in experiments]
    assert [one["family"]["holm_p"] for one in experiments] == pytest.approx(holm(p))
    assert [one["family"]["bh_p"] for one in experiments] == pytest.approx(benjamini_hochberg(p))
    numbers = [one["experiment"] for one in experiments]
    for one in experiments:
        assert (one["family"]["size"], one["family"]["experiments"]) == (3, numbers)
        assert one["registered"] is False
        beaten = "controls_do_as_much" in one["extras"]["reasons"]
        assert beaten == (one["family"]["holm_p"] > 0.2)
    assert verdicts(saecli_bench) == [one["verdict"] for one in experiments]
    assert sum(found["verdicts"].values()) == 3
    assert found["protocol"] is None


def test_a_family_that_was_stated_before_is_registered(saecli_bench, birds):
    three(saecli_bench, birds)
    stated = saecli_bench.json("hypothesis", "add", "--plan", "plan.toml")["hypotheses"]
    assert [one["registered"] for one in stated] == [True] * 3
    assert len({one["hash"] for one in stated}) == 3
    assert verdicts(saecli_bench) == []
    ran = saecli_bench.json("knockout", "--plan", "plan.toml")["experiments"]
    assert [one["hypothesis"] for one in ran] == [one["number"] for one in stated]
    assert [one["registered"] for one in ran] == [True] * 3


@pytest.mark.parametrize("extra", [["a claim"], ["--class", JAY]])
def test_what_a_plan_file_says_is_not_said_beside_it(saecli_bench, birds, extra):
    three(saecli_bench, birds)
    done = saecli_bench("hypothesis", "add", *extra, "--plan", "plan.toml")
    assert (done.code, "write it into the plan file" in done.err) == (2, True)


def test_an_experiment_of_a_family_run_again_is_judged_by_the_p_that_it_has_then(
    saecli_bench, birds
):
    three(saecli_bench, birds)
    places = [
        one["family"] for one in saecli_bench.json("knockout", "--plan", "plan.toml")["experiments"]
    ]
    assert saecli_bench.json("rerun", "experiment:2")["identical"]
    # as if another machine had found a smaller p the first time
    claimed = "json_set(report, '$.p_value', 0.001, '$.family.holm_p', 0.001)"
    with closing(sqlite3.connect(saecli_bench.folder / "catalog.db")) as raw, raw:
        raw.execute(f"update experiment set report = {claimed} where id in (2, 4)")
    for number in (2, 4):  # 4 is itself a rerun of 2
        again = saecli_bench.json("rerun", f"experiment:{number}")
        assert {one["figure"] for one in again["differences"]} >= {"p_value", "family"}
        shown = saecli_bench.json("show", f"experiment:{again['rerun']}")["report"]
        assert shown["family"] == places[1]


def test_each_experiment_of_a_family_is_drawn_as_it_would_be_alone(saecli_bench, birds):
    three(saecli_bench, birds)
    plan = ("knockout", "--plan", "plan.toml", "--out")
    (saecli_bench.folder / "file").write_text("mine")
    for wrong, words in (
        ("a.png", "'a.png' is no folder"),
        ("file", "'file' is no folder"),
        ("none/figures", "there is no folder 'none'"),
    ):
        refuses(saecli_bench(*plan, wrong), 2, words)
    assert verdicts(saecli_bench) == []
    outcome = saecli_bench(*plan, "figures", "--json")
    assert outcome.code == 0, outcome.err
    numbers = [one["experiment"] for one in outcome.document["experiments"]]
    drawn = sorted(path.name for path in (saecli_bench.folder / "figures").iterdir())
    assert drawn == [f"experiment-{number}.png" for number in numbers]
    alone = ("knockout", SETS[1], "--images", birds / "test", "--probe", "species")
    rest = ("--class", JAY, "--expect", NUT, "--controls", "19", "--out", "alone.png")
    assert saecli_bench(*alone, *rest).code == 0
    with (
        Image.open(saecli_bench.folder / "alone.png") as single,
        Image.open(saecli_bench.folder / "figures" / drawn[1]) as one,
    ):
        below = (0, 60, single.width, single.height)  # the title has another number
        assert one.size == single.size
        assert np.array_equal(np.asarray(one.crop(below)), np.asarray(single.crop(below)))


def test_each_figure_equals_the_experiment_s_own(saecli_bench, birds):
    """Being tested together changes p and perhaps the verdict, nothing else."""
    three(saecli_bench, birds)
    (_, second, _) = saecli_bench.json("knockout", "--plan", "plan.toml")["experiments"]
    alone = saecli_bench.json(
        *("knockout", SETS[1], "--images", birds / "test", "--probe", "species"),
        *("--class", JAY, "--expect", NUT, "--controls", "19", "--alpha", "0.2"),
    )
    for key in ("effect", "ci", "p_value", "controls", "flipped", "arms", "before", "after"):
        assert second[key] == alone[key], key
    assert alone["family"] is None


def test_the_table_shows_both_adjusted_p_values(saecli_bench, birds):
    three(saecli_bench, birds)
    outcome = saecli_bench("knockout", "--plan", "plan.toml")
    assert outcome.code == 0, outcome.err
    assert "3 tested together" in outcome.out
    for word in ("Holm", "BH", "verdict", "clip:2+11+30+31"):
        assert word in outcome.out


@pytest.mark.slow
def test_an_interrupted_family_goes_on_and_ends_as_one_that_was_not(saecli_bench, birds):
    entries = [f'latents = {list(SETS[:2])}\nclass = "{JAY}"']
    write_plan(saecli_bench, birds, entries, "alpha = 0.2\ncontrols = 299\n")
    args = ("knockout", "--plan", "plan.toml", "--json")
    process = start(saecli_bench.folder, *args)
    database = f"file:{saecli_bench.folder / 'catalog.db'}?mode=ro"
    done, deadline = 0, time.monotonic() + 240
    # the second experiment has begun: all trials of the first are kept, and it has no verdict
    while done <= 48 and process.poll() is None and time.monotonic() < deadline:
        with closing(sqlite3.connect(database, uri=True)) as raw, raw:
            (done,) = raw.execute("select count(*) from trial where figures is not null").fetchone()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 130, err
    assert "which are kept" in err
    assert verdicts(saecli_bench) == []
    resumed = run(saecli_bench.folder, *args)
    assert resumed.code == 0, resumed.err
    found = resumed.document
    assert [one["experiment"] for one in found["experiments"]] == [1, 2]
    fresh = run(saecli_bench.folder, *args)
    again = fresh.document
    assert [one["experiment"] for one in again["experiments"]] == [3, 4]
    assert [one["hypothesis"] for one in again["experiments"]] == [1, 2]
    for first, second in zip(found["experiments"], again["experiments"], strict=True):
        for own in ("experiment", "family", "n_earlier"):
            first.pop(own), second.pop(own)
        assert first == second


def test_latents_are_chosen_on_pictures_that_then_take_no_part(saecli_bench, birds):
    choose = birds / "choose"
    choice = (
        f'latents = {{auto = 3, dictionary = "clip", positives = "{choose / JAY}", '
        f'negatives = "{choose / NUT}"}}\nclass = "{JAY}"'
    )
    write_plan(saecli_bench, birds, [choice])
    found = saecli_bench.json("knockout", "--plan", "plan.toml")
    detected = saecli_bench.json(
        *("detect", "clip", "--positives", choose / JAY, "--negatives", choose / NUT, "--top", 3)
    )
    refs = [row["ref"] for row in detected["latents"]]
    assert found["choices"][0]["latents"] == refs
    assert sorted(found["experiments"][0]["latents"]) == sorted(refs)
    same = choice.replace("choose", "test")
    write_plan(saecli_bench, birds, [same])
    outcome = saecli_bench("knockout", "--plan", "plan.toml")
    assert outcome.code == 1
    assert "hypothesis 1 of 'plan.toml'" in outcome.sentence
    assert "helped to choose the latents" in outcome.sentence


def test_the_segmentation_table_compares_four_ways_to_choose(saecli_bench, pictures):
    other = saecli_bench.folder / "other"
    write_pictures(other, 40, 11)
    (saecli_bench.folder / "plan.toml").write_text(
        f'images = "{other}"\nprobe = "ground"\nvalue = "set:-2"\nalpha = 0.5\ncontrols = 9\n'
        f'[[hypothesis]]\nlatents = {{auto = 2, dictionary = "dinov2", images = "{pictures}"}}\n'
        'class = "sky"\ndoses = ["set:-2", "set:0"]\n'
        '[[hypothesis]]\nlatents = "dinov2:3+4"\nclass = "sky"\nscope = "all"\n'
    )
    found = saecli_bench.json("knockout", "--plan", "plan.toml")
    automatic, manual = found["experiments"]
    assert automatic["doses"][0]["changed"] == automatic["changed"]
    assert set(automatic["doses"][1]["random_directions"]["changed"]) == {"target", "other"}
    (sky,) = found["protocol"]["classes"]
    assert sky["class"] == "sky"
    arms = {row["arm"]: row for row in sky["arms"]}
    assert list(arms) == ["random_vector", "random_feature", "automatic", "manual"]
    for arm, one in (("automatic", automatic), ("manual", manual)):
        assert arms[arm]["n"] == 1
        assert arms[arm]["target"] == pytest.approx(one["changed"]["target"])
        assert arms[arm]["other"] == pytest.approx(one["changed"]["other"])
    both = [
        one["controls"]["random_directions"]["changed"]["target"] for one in (automatic, manual)
    ]
    assert arms["random_vector"]["n"] == 18
    assert arms["random_vector"]["target"] == pytest.approx(np.mean(both))
    # with one class, all patches and the mean of classes are that class
    assert found["protocol"]["micro"] == found["protocol"]["macro"] == sky["arms"]
    table = saecli_bench("knockout", "--plan", "plan.toml").out
    for word in ("random vector", "random feature", "automatic", "manual", "mean over 18 edits"):
        assert word in table
    assert "mean of classes" not in table


def refuses(outcome, code, *words):
    assert outcome.code == code, outcome.err
    for word in words:
        assert word in outcome.sentence


def test_what_is_wrong_is_said_with_its_entry_and_nothing_is_run(saecli_bench, birds):
    good = f'latents = "{SETS[0]}"\nclass = "{JAY}"'
    busiest = saecli_bench.json("show", "clip")["latents"][0]["ref"]
    for entry, code, words in (
        (f'latents = "{SETS[0]}"\nclass = "bluejay"', 1, ("no class 'bluejay'", JAY)),
        (f'latents = "clip:99"\nclass = "{JAY}"', 1, ("99",)),
        (good + '\nprobe = "nope"', 1, ("no probe 'nope'",)),
        (good + '\nscope = "somewhere"', 2, ("no scope",)),
        (good + '\nvalue = "half"', 2, ("no value",)),
        (
            f'latents = "{busiest}"\nclass = "{JAY}"',
            1,
            ("controls", "2 need 66", "test fewer at once"),
        ),
    ):
        write_plan(saecli_bench, birds, [good, entry], "alpha = 0.03\ncontrols = 99\n")
        outcome = saecli_bench("knockout", "--plan", "plan.toml")
        refuses(outcome, code, "hypothesis 2 of 'plan.toml'", *words)
    refuses(saecli_bench("knockout", "--plan", "none.toml"), 2, "can't be read")
    three(saecli_bench, birds)
    mixed = ("knockout", "clip:3", "--plan", "plan.toml", "--seed", "0")
    refuses(saecli_bench(*mixed), 2, "--seed", "plan file")
    assert verdicts(saecli_bench) == []


def test_doses_are_reported_beside_pushes_of_their_size(saecli_bench, birds):
    found = saecli_bench.json(
        *("knockout", SETS[0], "--images", birds / "test", "--probe", "species"),
        *("--class", JAY, "--expect", NUT, "--controls", "19"),
        *("--doses", "set:2,set:-20,ablate", "--out", "curve.png"),
    )
    assert [row["value"] for row in found["doses"]] == ["set:-20", "set:0", "set:2"]
    none = found["doses"][1]
    assert none["effect"] == pytest.approx(found["effect"], abs=1e-5)
    assert none["flipped"] == found["flipped"]
    assert none["flipped_ci"] == found["flipped_ci"]
    for row in found["doses"]:
        low, high = row["flipped_ci"]["from_class"]
        assert low <= row["flipped"]["from_class"] <= high
        assert row["ci"][0] <= row["effect"] <= row["ci"][1]
        pushes = row["random_directions"]
        assert pushes["n"] == len(pushes["effects"]) == 5
        moved = np.abs(pushes["effects"]).max() >= found["smallest_effect"]
        assert pushes["enough"] == moved
    with Image.open(saecli_bench.folder / "curve.png") as picture:
        assert picture.height > 800  # the bars, and the curve below
    outcome = saecli_bench(
        *("knockout", SETS[0], "--images", birds / "test", "--probe", "species"),
        *("--class", JAY, "--doses", "set:1,scale:1"),
    )
    refuses(outcome, 2, "of two kinds")


def test_every_kind_of_edit_is_reported_with_its_meaning(saecli_bench, birds):
    args = (
        *("knockout", SETS[1], "--images", birds / "test", "--probe", "species"),
        *("--class", JAY, "--expect", NUT, "--controls", "19", "--twins", birds / "twins"),
    )
    found = saecli_bench.json(*args)
    arms = {row["kind"]: row for row in found["arms"]}
    assert list(arms) == [
        *("target", "zero_edit", "other_latents", "random_directions", "own_knockout"),
        *("reconstruction", "mean_ablation", "twin"),
    ]
    assert all(row["meaning"] for row in arms.values())
    assert arms["zero_edit"]["effect"] == 0
    assert arms["target"]["effect"] == found["effect"]
    assert arms["target"]["ci"] == found["ci"]
    assert arms["other_latents"]["effect"] == found["controls"]["other_latents"]["mean"]
    ceiling = found["ceiling"]
    assert ceiling["effect"] == arms["twin"]["effect"]
    if ceiling["share"] is not None:
        assert ceiling["share"] == pytest.approx(found["effect"] / ceiling["effect"])
        assert ceiling["share_ci"][0] <= ceiling["share"] <= ceiling["share_ci"][1]
    table = saecli_bench(*args).out
    for name in ("zero edit", "own knock-outs", "reconstruction", "mean ablation", "twin pictures"):
        assert name in table
