"""`saecli knockout`, `attribute`, `detect` and `probe`: experiments against controls, on record."""

import json
import shlex
import shutil
import signal
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from saecli.demo.writing import write_pictures
from tests.cli.conftest import JAY, NUT
from tests.commands import run, start


def knockout(birds, *refs, **options):
    args = {"images": birds / "test", "probe": "species", "class": JAY, "controls": 19} | options
    return ["knockout", *refs, *[x for k, v in args.items() for x in (f"--{k}", v)]]


def jay_latents(saecli, birds, top=3):
    found = saecli.json(
        *("attribute", "clip", "--images", birds / "choose", "--probe", "species"),
        *("--class", JAY, "--against", NUT, "--top", top),
    )
    return [row["ref"] for row in found["latents"]]


def test_a_probe_is_listed_with_its_held_out_scores(saecli_bench):
    probes = {row["name"]: row for row in saecli_bench.json("list")["probes"]}
    assert probes["species"]["task"] == "classification"
    assert probes["species"]["classes"] == sorted([JAY, NUT])
    assert 0 <= probes["species"]["accuracy"] <= 1
    assert probes["ground"]["task"] == "segmentation"
    assert 0 < probes["ground"]["mean_iou"] < 1
    assert saecli_bench.json("probe", "list")["probes"] == list(probes.values())


def test_a_zero_shot_probe_needs_no_training(saecli_bench, models, birds):
    report = saecli_bench.json(
        *("probe", "train", "--images", birds / "test", "--backbone", f"clip:{models['clip']}"),
        *("--name", "zero", "--zero-shot"),
    )
    assert (report["task"], report["n_train"], report["n_test"]) == ("zero_shot", 0, 48)


def test_the_document_has_the_keys_that_programs_rely_on(saecli_bench, birds):
    latents = jay_latents(saecli_bench, birds)
    found = saecli_bench.json(*knockout(birds, *latents, expect=NUT, twins=birds / "twins"))
    assert {
        *("experiment", "hypothesis", "registered", "latents", "value", "scope", "class"),
        *("expect", "n_images", "n_excluded", "effect", "ci", "p_value", "alpha"),
        *("smallest_effect", "seed", "flipped", "changed", "controls", "zero_edit", "ceiling"),
        *("specificity", "verdict", "before", "after"),
    } <= set(found)
    assert set(found["flipped"]) == {"from_class", "to_expected"}
    assert set(found["controls"]) == {"other_latents", "random_directions"}
    for control in found["controls"].values():
        assert {"n", "mean", "sd", "max", "p_value", "flipped", "changed"} <= set(control)
    assert found["zero_edit"] == {"max_abs_difference": 0.0}
    assert {"effect", "flipped"} <= set(found["ceiling"])
    assert {"effect_without", "holds"} <= set(found["specificity"])
    assert set(found["before"][0]) == {"class", "probability"}
    assert found["verdict"] in ("supported", "refuted", "inconclusive")
    limits = found["flipped_ci"]
    assert limits["from_class"][0] <= found["flipped"]["from_class"] <= limits["from_class"][1]
    assert found["changed_ci"] is None
    assert found["ceiling"]["flipped_ci"]["to_expected"][1] <= 1
    assert found["n_images"] == 24
    assert found["latents"] == sorted(latents, key=lambda ref: int(ref.split(":")[1]))
    assert found["ci"][0] <= found["effect"] <= found["ci"][1]


def test_the_effect_equals_running_the_whole_network_with_the_edit(saecli_bench, birds, models):
    """An independent computation: the library's own model with a hook that edits the block."""
    import open_clip
    import torch
    from safetensors import safe_open

    from saecli.catalog.opening import open_catalog
    from saecli.catalog.probes import get_probe, read_probe
    from saecli.experiments.probes import Probe

    (latent,) = jay_latents(saecli_bench, birds, top=1)
    index = int(latent.split(":")[1])
    found = saecli_bench.json(*knockout(birds, latent, expect=NUT))
    saecli_bench("export", "clip", "--out", "d.st")
    with safe_open(saecli_bench.folder / "d.st", "pt") as file:
        k = json.loads(file.metadata()["saecli"])["k"]
        t = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    with open_catalog(saecli_bench.folder / "catalog.db") as catalog, catalog.reading() as session:
        probe = Probe.from_bytes(read_probe(session, get_probe(session, "species")))
    folder = models["clip"]
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    model.visual.output_tokens = True

    def edit(module, args, output):
        x = output[:, 1:]
        a = (x - t["mean"]) / t["scale"] @ t["W_enc"] + t["b_enc"]
        kept = torch.zeros_like(a).scatter(-1, a.topk(k).indices, 1.0)
        f = (a.relu() * kept)[..., index]
        moved = x - (t["scale"] * f[..., None]) * t["W_dec"][index]
        return torch.cat([output[:, :1], moved], dim=1)

    def margins():
        files = sorted((birds / "test" / JAY).glob("*.png"))
        pixels = torch.stack([transform(Image.open(path).convert("RGB")) for path in files])
        seen = []
        post = model.visual.ln_post.register_forward_hook(lambda m, i, o: seen.append(o))
        with torch.no_grad():
            model.visual(pixels)
        post.remove()
        cls = seen[0] if seen[0].ndim == 2 else seen[0][:, 0]
        logits = cls @ probe.weight + probe.bias
        a, b = probe.classes.index(JAY), probe.classes.index(NUT)
        return logits[:, a] - logits[:, b]

    before = margins()
    hook = model.visual.transformer.resblocks[1].register_forward_hook(edit)
    after = margins()
    hook.remove()
    assert found["effect"] == pytest.approx(float((after - before).mean()), rel=1e-3, abs=1e-5)


def test_one_seed_gives_one_result(saecli_bench, birds):
    (latent,) = jay_latents(saecli_bench, birds, top=1)
    args = knockout(birds, latent, expect=NUT, seed=4)
    first, second = saecli_bench.json(*args), saecli_bench.json(*args)
    for own in ("experiment", "hypothesis"):
        first.pop(own), second.pop(own)
    assert first == second


def test_an_experiment_is_shown_with_its_latent_and_listed(saecli_bench, birds):
    (latent,) = jay_latents(saecli_bench, birds, top=1)
    found = saecli_bench.json(*knockout(birds, latent, expect=NUT))
    row = {k: found[k] for k in ("hypothesis", "verdict", "registered", "tested_before")}
    row["number"] = found["experiment"]
    assert saecli_bench.json("show", latent)["experiments"] == [row]
    assert saecli_bench.json("list")["experiments"] == [row]


def test_pictures_that_chose_the_latents_take_no_part(saecli_bench, birds):
    latents = jay_latents(saecli_bench, birds)
    outcome = saecli_bench(*knockout(birds, *latents, images=birds / "choose"))
    assert outcome.code == 1
    assert "24 left out because they helped to choose the latents" in outcome.sentence
    assert saecli_bench.json("list")["experiments"] == []


def test_a_handful_of_pictures_without_the_class_shows_nothing(saecli_bench, birds):
    few = saecli_bench.folder / "few"
    shutil.copytree(birds / "test" / JAY, few / JAY)
    (few / NUT).mkdir()
    for path in sorted((birds / "test" / NUT).iterdir())[:3]:
        shutil.copy(path, few / NUT)
    (latent,) = jay_latents(saecli_bench, birds, top=1)
    outcome = saecli_bench(*knockout(birds, latent, expect=NUT, images=few), "--json")
    assert outcome.code == 0, outcome.err
    assert f"pictures without '{JAY}': 3; 20 are needed" in outcome.err
    told = outcome.document["specificity"]
    assert (told["holds"], told["n_without"], told["least_without"]) == (None, 3, 20)
    assert told["ci_without"][0] <= told["effect_without"] <= told["ci_without"][1]
    assert abs(told["effect_without"]) <= told["absolute_without"]
    assert "nothing_without_class" in outcome.document["extras"]["reasons"]
    assert outcome.document["verdict"] != "supported"


def test_segmentation_tells_what_changed_inside_and_elsewhere(saecli_bench, pictures):
    found = saecli_bench.json(
        *("detect", "dinov2", "--images", pictures, "--class", "sky", "--top", "2"),
    )
    assert {"dictionary", "class", "n_images", "latents"} <= set(found)
    assert {"ref", "f1", "precision", "recall", "auroc"} <= set(found["latents"][0])
    refs = [row["ref"] for row in found["latents"]]
    assert saecli_bench("knockout", *refs, "--images", pictures, "--probe", "ground", "--class",
                        "sky").code == 1  # the pictures chose the latents  # fmt: skip
    other = saecli_bench.folder / "other"
    write_pictures(other, 40, 11)
    knocked = saecli_bench.json(
        *("knockout", *refs, "--images", other, "--probe", "ground", "--class", "sky"),
        *("--value", "set:-2", "--controls", "19", "--out", "figure.png"),
    )
    with Image.open(saecli_bench.folder / "figure.png") as figure:
        assert figure.width > 900  # input, prediction, prediction after, truth
    assert set(knocked["changed"]) == {"target", "other"}
    assert 0 <= knocked["changed"]["target"] <= 1
    assert knocked["controls"]["random_directions"]["changed"]["target"] is not None
    for side, (low, high) in knocked["changed_ci"].items():
        assert 0 <= low <= knocked["changed"][side] <= high <= 1
        assert low < high
    arms = {arm["kind"]: arm for arm in knocked["arms"]}
    assert arms["target"]["changed_ci"] == knocked["changed_ci"]
    assert arms["random_directions"]["changed_ci"] is None
    told = saecli_bench("show", f"experiment:{knocked['experiment']}").out
    assert told.count("95 % interval") >= 2


def test_a_picture_whose_patches_the_run_sees_otherwise_takes_no_part(saecli_bench):
    """Without masks a picture is chosen by a prediction, which a last bit can decide otherwise."""
    from saecli.catalog.opening import open_catalog
    from saecli.catalog.trials import add_trials, read_trials

    write_pictures(saecli_bench.folder / "other", 40, 11)
    shutil.rmtree(saecli_bench.folder / "other" / "masks")
    busiest = saecli_bench.json("show", "dinov2")["latents"][0]["ref"]
    args = ("knockout", busiest, "--images", "other", "--probe", "ground", "--class", "sky")
    whole = saecli_bench.json(*args, "--controls", "19")
    assert whole["extras"]["by_prediction"] is True
    with closing(sqlite3.connect(saecli_bench.folder / "catalog.db")) as raw, raw:
        raw.execute("update experiment set verdict = null, report = null")
    with open_catalog(saecli_bench.folder / "catalog.db", write=True) as catalog:
        with catalog.reading() as session:
            trials = read_trials(session, 1)
        figures = {name: array.copy() for name, array in trials[3].figures.items()}
        for name in ("n_target", "n_a", "left", "gained", "changed_target"):
            figures[name][:] = 0
        figures["margin"][:] = np.nan
        with catalog.writing() as session:
            add_trials(session, 1, [(3, figures)])
    again = saecli_bench.json(*args, "--controls", "19")
    assert (again["experiment"], again["n_images"]) == (1, whole["n_images"] - 1)
    changes = [t.figures["margin"][2] - t.figures["margin"][0] for t in trials if t.position != 3]
    assert again["effect"] == pytest.approx(np.mean(changes), abs=1e-12)
    shown = saecli_bench.json("show", "experiment:1")["trials"][3]
    assert (shown["before"], shown["after"]) == (None, None)
    assert saecli_bench("show", "experiment:1").code == 0


def maxima(saecli, birds, name):
    """(48, n_latents) largest activations on the test pictures, jays first."""
    from saecli.catalog.dictionaries import get_dictionary
    from saecli.catalog.opening import open_catalog
    from saecli.images.sources import open_source
    from saecli.progress import SILENT
    from saecli.workflows.models import backbone_of, load_dictionary
    from saecli.workflows.subjects import pixel_loader

    with open_catalog(saecli.folder / "catalog.db") as catalog:
        with catalog.reading() as session:
            info = get_dictionary(session, name)
        backbone = backbone_of(info, SILENT)
        dictionary = load_dictionary(catalog, info, "cpu")
    files = [f for s in (JAY, NUT) for f in open_source(birds / "test" / s).files]
    pixels = pixel_loader(backbone, files)(np.arange(48))
    x = backbone.record(pixels, 1).patches.half().float()  # as it is recorded
    return dictionary.encode(x).amax(dim=1).numpy()


def test_detect_equals_scikit_learn(saecli_bench, birds):
    from sklearn.metrics import roc_auc_score

    args = ("--positives", birds / "test" / JAY, "--negatives", birds / "test" / NUT)
    found = saecli_bench.json("detect", "clip", *args, "--top", "48")
    seen = maxima(saecli_bench, birds, "clip")
    truth = np.repeat([1, 0], 24)
    for row in found["latents"]:
        column = seen[:, int(row["ref"].split(":")[1])]
        assert row["auroc"] == pytest.approx(roc_auc_score(truth, column), abs=1e-9)


def test_without_arguments_it_tests_the_last_observation(saecli_bench, birds):
    picture = birds / "choose" / NUT / "000002.png"
    seen = saecli_bench.json("inspect", picture, "--patches", "5-10")
    (found,) = [saecli_bench.json("knockout", "--images", birds / "test", "--controls", "19")]
    assert found["latents"] == [seen["latents"][0]["ref"]]
    explained = saecli_bench.json("inspect", picture, "--explain")["explanation"]
    assert found["class"] == explained["class"]
    plan = saecli_bench.json("show", "hypothesis:1")
    assert (plan["probe"], plan["plan"]["expect"]) == ("species", None)


def test_after_an_explanation_it_tests_what_was_explained(saecli_bench, birds):
    """Not the default probe's prediction, but the probe and the two classes that were named."""
    picture = birds / "choose" / JAY / "000002.png"
    asked = ("--explain", "--probe", "species", "--class", NUT, "--against", JAY)
    told = saecli_bench.json("inspect", picture, *asked)["explanation"]
    assert told["next_command"] is not None
    assert f"saecli knockout {told['strongest']} --images " in told["next_command"]
    words = shlex.split(told["next_command"])
    assert words[-6:] == ["--probe", "species", "--class", NUT, "--expect", JAY]
    assert told["next_command"] in saecli_bench("inspect", picture, *asked).out
    few = ("--images", birds / "test", "--controls", "19")
    found = saecli_bench.json("knockout", *few)
    assert found["latents"] == [told["strongest"]]
    assert (found["class"], found["expect"]) == (NUT, JAY)
    other = saecli_bench.json("knockout", *few, "--class", JAY)
    assert (other["class"], other["expect"]) == (JAY, None)


def test_an_interrupt_keeps_what_is_done_and_the_same_command_goes_on(
    saecli_bench, birds, tmp_path
):
    latents = jay_latents(saecli_bench, birds)
    args = [*knockout(birds, *latents, expect=NUT, controls=999), "--json"]
    process = start(saecli_bench.folder, *args)
    database = f"file:{saecli_bench.folder / 'catalog.db'}?mode=ro"
    deadline = time.monotonic() + 120
    n = 0
    while n == 0 and process.poll() is None and time.monotonic() < deadline:
        with closing(sqlite3.connect(database, uri=True)) as raw, raw:
            (n,) = raw.execute("select count(*) from trial where figures is not null").fetchone()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "which are kept" in err
    assert saecli_bench.json("list")["experiments"] == []
    resumed = run(saecli_bench.folder, *args)
    assert resumed.code == 0, resumed.err
    fresh = run(saecli_bench.folder, *args)
    first, second = resumed.document, fresh.document
    assert first["experiment"] == 1
    for own in ("experiment", "hypothesis"):
        first.pop(own), second.pop(own)
    assert first == second


def test_an_experiment_is_not_gone_on_with_after_another_profile(saecli_bench, birds, pictures):
    """The maxima of `set:` and the choice of controls are those of the profile."""
    from saecli.catalog.opening import open_catalog

    (latent,) = jay_latents(saecli_bench, birds, top=1)
    args = [*knockout(birds, latent, expect=NUT), "--json"]
    saecli_bench.json(*args[:-1])
    with (
        closing(sqlite3.connect(saecli_bench.folder / "catalog.db")) as raw,
        raw,
    ):  # as if it was interrupted
        raw.execute("update experiment set verdict = null, report = null")
        raw.execute("update trial set figures = null where position > 7")
    assert saecli_bench.json("profile", "clip", "--images", birds / "train")["n_images"] == 48
    assert saecli_bench.json(*args[:-1])["experiment"] == 2
    with open_catalog(saecli_bench.folder / "catalog.db") as catalog, catalog.reading() as session:
        from saecli.catalog.hypotheses import get_hypothesis

        found = [get_hypothesis(session, number) for number in (1, 2)]
    assert [one.plan["profile"] for one in found] == [str(pictures), str(birds / "train")]
    assert [one.replaces for one in found] == [None, 1]


def refuses(outcome, code, *words):
    assert outcome.code == code, outcome.err
    for word in words:
        assert word in outcome.sentence


def test_wrong_input(saecli_bench, birds, pictures):
    refuses(saecli_bench(*knockout(birds, "clip:3", "dinov2:3")), 2, "of 2 dictionaries")
    refuses(saecli_bench(*knockout(birds, "clip:99")), 1, "99")
    unknown = {"class": "bluejay"}
    refuses(saecli_bench(*knockout(birds, "clip:3", **unknown)), 1, "no class 'bluejay'", JAY)
    refuses(saecli_bench(*knockout(birds, "clip:3", expect=JAY)), 2, "compared with itself")
    refuses(saecli_bench(*knockout(birds, "clip:3", probe="nope")), 1, "no probe 'nope'", "species")
    refuses(saecli_bench(*knockout(birds, "clip:3", probe="ground", **{"class": "sky"})), 1)
    refuses(saecli_bench(*knockout(birds, "clip:3", value="half")), 2, "no value")
    refuses(saecli_bench(*knockout(birds, "clip:3", scope="some")), 2, "no scope")
    refuses(saecli_bench(*knockout(birds, "clip:3", scope="99")), 2, "beyond the 4×4 grid")
    refuses(saecli_bench("knockout", "clip:3"), 2, "--images", "--probe", "--class")
    refuses(saecli_bench("knockout"), 1, "nothing was observed yet")
    only = birds / "test" / NUT
    refuses(saecli_bench(*knockout(birds, "clip:3", images=only)), 1)
    busiest = saecli_bench.json("show", "clip")["latents"][0]["ref"]
    refuses(saecli_bench(*knockout(birds, busiest, controls=5)), 1, "5 controls")
    refuses(saecli_bench(*knockout(birds, busiest, controls=10**8)), 1, "at most 10,000")
    refuses(saecli_bench(*knockout(birds, busiest, value="set:1e38")), 2, "at most 10000")
    refuses(saecli_bench(*knockout(birds, busiest, masks=birds)), 1, "masks decide nothing")
    assert saecli_bench.json("list")["experiments"] == []


def test_an_attribution_over_a_picture_or_two_is_warned_of(saecli_bench, birds, tmp_path):
    few = tmp_path / "few"
    for species, n in ((JAY, 2), (NUT, 5)):
        (few / species).mkdir(parents=True)
        for path in sorted((birds / "choose" / species).iterdir())[:n]:
            shutil.copy(path, few / species)
    args = ("attribute", "clip", "--images", few, "--probe", "species", "--class")
    assert "a mean over no more than 2 of the pictures" in saecli_bench(*args, JAY).err
    assert "a mean over no more" not in saecli_bench(*args, NUT).err


def test_a_latent_that_never_fires_there(saecli_bench, birds):
    rows = saecli_bench.json("show", "clip", "--sort", "index", "--top", "48")["latents"]
    silent = [row["ref"] for row in rows if row["density"] == 0]
    assert silent, "the tiny dictionary has a dead latent"
    refuses(saecli_bench(*knockout(birds, silent[0])), 1, "never fire")
    assert saecli_bench.json("hypothesis", "list")["hypotheses"] == []


def test_a_detector_stands_beside_the_untrained_twin_s_best(saecli_bench, models, pictures, birds):
    from sklearn.metrics import f1_score

    train = ("train", "--backbone", f"clip:{models['clip']}", "--images", pictures, "--untrained")
    small = ("--k", "4", "--n-patches", "4000", "--batch", "256", "--layer", "1")
    sets = ("--positives", birds / "test" / JAY, "--negatives", birds / "test" / NUT)
    done = saecli_bench(*train, *small, "--name", "clip-narrow", "--latents", "24")
    assert done.code == 0, done.err
    outcome = saecli_bench("detect", "clip", *sets, "--json")
    assert outcome.document["untrained_score"] is None, "of another width it is no twin"
    assert "'clip-narrow' has 24 latents and 'clip' 48" in outcome.err
    done = saecli_bench(*train, *small, "--name", "clip-untrained", "--latents", "48")
    assert done.code == 0, done.err
    found = saecli_bench.json("detect", "clip", *sets)
    (twin,) = saecli_bench.json("detect", "clip-untrained", *sets, "--top", "1")["latents"]
    assert found["untrained_score"] == twin["f1"]
    assert found["untrained_ref"] == twin["ref"]
    truth = np.repeat([1, 0], 24)
    called = []
    for name, row in (("clip", found["latents"][0]), ("clip-untrained", twin)):
        column = maxima(saecli_bench, birds, name)[:, int(row["ref"].split(":")[1])]
        called.append(column >= row["threshold"] - 1e-6)
        assert f1_score(truth, called[-1]) == pytest.approx(row["f1"])
    rng, lead = np.random.default_rng(0), []
    for _ in range(500):
        drawn = rng.integers(0, 48, 48)
        lead.append(np.subtract(*(f1_score(truth[drawn], one[drawn]) for one in called)))
    limit = np.quantile(lead, 0.025)
    assert abs(limit) > 0.02, "another resampling would not decide otherwise"
    assert found["beyond_untrained"] == (limit > 0)
    with closing(sqlite3.connect(saecli_bench.folder / "catalog.db")) as raw:
        kept = raw.execute(
            "select figures from selected_latent where selection_id = 2 order by rank"
        ).fetchall()
    first, second = (json.loads(row[0]) for row in kept[:2])
    assert first["untrained"]["ref"] == twin["ref"]
    assert len(first["untrained"]["sha256"]) == 64
    assert first["untrained_score"] == twin["f1"]
    assert first["beyond_untrained"] == found["beyond_untrained"]
    assert set(second) == {"f1", "auroc"}
