"""`saecli inspect` reports what an independent computation gives, stores it and draws it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from tests.commands import run


def library_activations(family, folder, image, layer):
    """The patch tokens after a block, by the library's own classes and preprocessing."""
    if family == "clip":
        import open_clip

        model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
        model.eval()
        seen = []
        block = model.visual.transformer.resblocks[layer]
        block.register_forward_hook(lambda module, args, output: seen.append(output))
        with torch.no_grad():
            model.encode_image(transform(image)[None])
        return seen[0][0, 1:]
    from transformers import Dinov2Model

    model = Dinov2Model.from_pretrained(folder, dtype=torch.float32).eval()
    pixels = np.asarray(image, dtype=np.float32) / 255
    pixels = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    tensor = torch.tensor(pixels.transpose(2, 0, 1), dtype=torch.float32)[None]
    with torch.no_grad():
        states = model(tensor, output_hidden_states=True).hidden_states
    return states[layer + 1][0, 1:]


def formula(checkpoint, x):
    """f = TopK(z W_enc + b_enc), z = (x − mean)/scale, in float64, from the file alone."""
    with safe_open(checkpoint, "np") as file:
        told = json.loads(file.metadata()["saecli"])
        t = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}  # noqa: SIM118
    a = (x.double().numpy() - t["mean"]) / t["scale"] @ t["W_enc"] + t["b_enc"]
    f = np.zeros_like(a)
    for row, values in enumerate(a):
        kept = np.argsort(-values, kind="stable")[: told["k"]]
        f[row, kept] = np.maximum(values[kept], 0)
    return f


@pytest.mark.parametrize("family", ["clip", "dinov2"])
def test_activations_equal_an_independent_computation(family, saecli_trained, models, tmp_path):
    rng = np.random.default_rng(3)
    picture = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    picture.save(tmp_path / "noise.png")
    found = saecli_trained.json(
        "inspect", tmp_path / "noise.png", "--patches", "3,4,10-12", "--dictionary", family
    )
    saecli_trained("export", family, "--out", "d.safetensors")
    x = library_activations(family, models[family], picture, layer=1)
    expected = formula(saecli_trained.folder / "d.safetensors", x)[[3, 4, 10, 11, 12]].sum(axis=0)
    order = [int(latent) for latent in np.argsort(-expected, kind="stable")[:8]]
    assert [row["ref"] for row in found["latents"]] == [f"{family}:{latent}" for latent in order]
    assert [row["activation"] for row in found["latents"]] == pytest.approx(
        expected[order], rel=1e-3
    )


def test_the_document_has_the_keys_that_programs_rely_on(saecli_trained, pictures):
    found = saecli_trained.json("inspect", pictures / "000003.png", "--patches", "0-3")
    assert {"image", "dictionary", "patches", "observation", "latents"} <= set(found)
    assert set(found["image"]) == {"id", "path"}
    assert found["dictionary"] == "clip"  # the first trained is the default
    assert found["patches"] == [0, 1, 2, 3]
    latent = found["latents"][0]
    assert {"ref", "activation", "label", "density", "exemplars"} <= set(latent)
    assert set(latent["exemplars"][0]) == {"image", "patch", "activation"}


def test_each_observation_is_kept_with_its_command(saecli_trained, pictures):
    first = saecli_trained.json("inspect", pictures / "000003.png", "--patches", "5")
    second = saecli_trained.json("inspect", pictures / "000004.png", "--patches", "5")
    assert second["observation"] == first["observation"] + 1
    assert saecli_trained.json("catalog", "info")["counts"]["observations"] == 2


def test_the_sheet_shows_the_whole_grid_beside_every_latent(saecli_trained, pictures):
    found = saecli_trained.json("inspect", pictures / "000003.png", "--out", "sheet.png")
    assert found["sheet"] == "sheet.png"
    assert found["patches"] == list(range(16))
    with Image.open(saecli_trained.folder / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 800
        assert sheet.height > 100 * len(found["latents"])


def test_a_picture_with_brackets_in_its_name_is_shown_under_it(saecli_trained, pictures, tmp_path):
    name = "[bold] über_[1].png"
    (tmp_path / name).write_bytes((pictures / "000003.png").read_bytes())
    outcome = saecli_trained("inspect", tmp_path / name, "--patches", "0")
    assert outcome.code == 0
    assert name in outcome.out.replace("\n", " ")  # a long path is folded


def test_it_runs_as_a_process_of_its_own_with_nothing_but_json_on_stdout(
    trained, pictures, tmp_path
):
    import shutil

    shutil.copytree(trained, tmp_path / "copy")
    outcome = run(
        tmp_path / "copy", "inspect", pictures / "000003.png", "--patches", "3,4", "--json"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.document["patches"] == [3, 4]
    assert "Loading weights" not in outcome.err
