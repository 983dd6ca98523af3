"""`saecli inspect --explain` ranks by what a prediction rests on and says how true that is."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import JAY, NUT


@pytest.fixture
def picture(birds):
    return sorted((birds / "test" / JAY).glob("*.png"))[3]


def test_the_ranking_is_that_of_attribute_on_the_one_picture(saecli_bench, picture, tmp_path):
    found = saecli_bench.json(
        "inspect", picture, "--explain", "--class", JAY, "--against", NUT, "--top", 500
    )
    told = found["explanation"]
    assert (told["probe"], told["class"], told["against"]) == ("species", JAY, NUT)
    assert told["n_checked"] == told["n_active"]
    assert -1 <= told["rank_correlation"] <= 1
    assert len(told["grad_cam"]) == found["grid"][0] * found["grid"][1]
    assert max(told["grad_cam"]) in (0, 1)
    values = [row["attribution"] for row in found["latents"]]
    assert values == sorted(values)
    assert values[0] < 0
    assert all(row["effect"] is not None for row in found["latents"])
    alone = tmp_path / "alone"
    for name in (JAY, NUT):
        (alone / name).mkdir(parents=True)
    (alone / JAY / "a.png").write_bytes(picture.read_bytes())
    Image.new("RGB", (8, 8)).save(alone / NUT / "b.png")
    theirs = saecli_bench.json(
        *("attribute", "clip", "--images", alone, "--probe", "species"),
        *("--class", JAY, "--against", NUT, "--top", 500),
    )
    expected = {row["ref"]: row["attribution"] for row in theirs["latents"]}
    theirs = {r["ref"]: r["attribution"] for r in found["latents"] if r["attribution"] < 0}
    assert theirs == pytest.approx(expected, abs=1e-5)


def test_the_effects_are_real_knock_outs(saecli_bench, picture):
    """Against the library's own forward pass, with the edit by the formula in NumPy."""
    import torch

    from saecli.catalog.opening import open_catalog
    from saecli.catalog.probes import get_probe, read_probe
    from saecli.experiments.probes import Probe
    from saecli.progress import SILENT
    from saecli.workflows.inspect import find_dictionary
    from saecli.workflows.models import backbone_of, load_dictionary

    found = saecli_bench.json("inspect", picture, "--explain", "--patches", "5-10", "--class", JAY)
    with open_catalog(saecli_bench.folder / "catalog.db") as catalog:
        info = find_dictionary(catalog, "clip")
        dictionary = load_dictionary(catalog, info, "cpu")
        with catalog.reading() as session:
            probe = Probe.from_bytes(read_probe(session, get_probe(session, "species")))
    backbone = backbone_of(info, SILENT, device="cpu")
    visual = backbone.model.visual
    block = visual.transformer.resblocks[info.layer]
    pixels = backbone.preprocess(Image.open(picture).convert("RGB"))[None]

    def margin(latent):
        def edit(module, inputs, output):
            x = output[0, 1:]
            f = dictionary.encode(x)
            moved = torch.zeros_like(x)
            if latent is not None:
                moved[5:11] = -dictionary.scale * f[5:11, latent, None] * dictionary.W_dec[latent]
            return torch.cat([output[:, :1], (x + moved)[None]], dim=1)

        read = []
        hooks = [
            block.register_forward_hook(edit),
            visual.ln_post.register_forward_hook(lambda m, i, o: read.append(o)),
        ]
        with torch.no_grad():
            visual(pixels)
        for hook in hooks:
            hook.remove()
        logits = read[0][0, 0] @ probe.weight + probe.bias
        a = probe.index(JAY)
        return float(logits[a] - torch.logsumexp(torch.cat([logits[:a], logits[a + 1 :]]), 0))

    before = margin(None)
    assert found["explanation"]["margin"] == pytest.approx(before, abs=1e-4)
    assert found["latents"]
    for row in found["latents"]:
        latent = int(row["ref"].split(":")[1])
        assert row["effect"] == pytest.approx(margin(latent) - before, abs=1e-4)


def test_the_predicted_class_and_the_backbone_s_first_probe_are_the_default(saecli_bench, picture):
    told = saecli_bench.json("inspect", picture, "--explain")["explanation"]
    assert told["probe"] == "species"
    assert told["class"] in (JAY, NUT)
    assert told["probability"] >= 0.5
    ground = saecli_bench.json("inspect", picture, "--explain", "--dictionary", "dinov2")
    assert ground["explanation"]["probe"] == "ground"
    assert ground["latents"]


def test_what_speaks_most_for_the_class_is_what_knockout_then_takes(saecli_bench, picture):
    found = saecli_bench.json("inspect", picture, "--explain", "--class", JAY)
    from saecli.catalog.observations import last_observation
    from saecli.catalog.opening import open_catalog

    with open_catalog(saecli_bench.folder / "catalog.db") as catalog, catalog.reading() as session:
        seen = last_observation(session)
    assert f"clip:{seen.latents[0][0]}" == found["latents"][0]["ref"]
    assert seen.number == found["observation"]


def test_a_latent_that_only_its_knock_out_shows_is_listed_and_so_on_record(saecli_bench, picture):
    """Whoever picks it picks it because of this picture, which then may not test it."""
    found = saecli_bench.json("inspect", picture, "--explain", "--class", JAY, "--top", 1)
    told = found["explanation"]
    effects = {row["ref"]: row["effect"] for row in found["latents"]}
    assert told["strongest"] in effects
    assert effects[told["strongest"]] == min(effects.values())
    assert len(effects) == (1 if told["strongest_rank"] == 1 else 2)


def test_without_explain_nothing_is_explained(saecli_bench, picture):
    found = saecli_bench.json("inspect", picture)
    assert found["explanation"] is None
    assert {row["attribution"] for row in found["latents"]} == {None}


def test_grad_cam_stands_on_the_sheet_beside_the_latents(saecli_bench, picture):
    args = ("inspect", picture, "--explain", "--class", JAY, "--top", 2)
    outcome = saecli_bench(*args, "--out", "with.png", "--json")
    assert json.loads(outcome.out)["sheet"] == "with.png"
    assert saecli_bench("inspect", picture, "--top", 2, "--out", "without.png").code == 0
    sizes = [
        np.asarray(Image.open(saecli_bench.folder / name)).shape
        for name in ("with.png", "without.png")
    ]
    assert sizes[0][0] >= sizes[1][0] + 440
    assert sizes[0][1] == sizes[1][1]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--probe", "species"], 2, ["--explain"]),
        (["--explain", "--class", "blue jai"], 1, ["no class 'blue jai'", JAY]),
        (["--explain", "--against", "wren"], 1, ["no class 'wren'"]),
        (["--explain", "--class", JAY, "--against", JAY], 2, ["compared with itself"]),
        (["--explain", "--probe", "nope"], 1, ["no probe 'nope'", "species"]),
        (
            ["--explain", "--probe", "species", "--dictionary", "dinov2"],
            1,
            ["probe 'species' reads", "name one of ground"],
        ),
    ],
)
def test_a_question_that_can_t_be_answered_is_one_sentence(
    saecli_bench, picture, args, code, words
):
    outcome = saecli_bench("inspect", picture, *args)
    assert outcome.code == code
    assert outcome.err.strip().count("\n") <= 2
    for word in words:
        assert word in outcome.err.replace("\n", " ")
    assert "Traceback" not in outcome.err
