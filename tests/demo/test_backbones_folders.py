"""The built-in backbones are ordinary folders that the libraries load from anywhere."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from transformers import AutoImageProcessor, Dinov2Model

from saecli.demo.backbones import BUILT_IN, FOLDERS
from saecli.demo.backbones.evaluation import patch_scores, text_directions, zero_shot_scores
from saecli.demo.backbones.inputs import to_input
from saecli.demo.backbones.prompts import every_prompt, species_prompts
from saecli.demo.backbones.swaps import swap_scores
from saecli.demo.backbones.tokenizer import words_of
from saecli.demo.world import caption, render

CLIP = FOLDERS["fieldguide-clip"][1]
DINOV2 = FOLDERS["fieldguide-dinov2"][1]


@pytest.fixture(scope="module")
def clip() -> open_clip.CLIP:
    return open_clip.create_model_and_transforms(f"local-dir:{CLIP}")[0].eval()


@pytest.fixture(scope="module")
def tokenizer() -> open_clip.tokenizer.HFTokenizer:
    return open_clip.get_tokenizer(f"local-dir:{CLIP}")


@pytest.fixture(scope="module")
def dinov2() -> Dinov2Model:
    return Dinov2Model.from_pretrained(DINOV2, dtype=torch.float32).eval()


def test_the_names_lead_to_family_and_absolute_folder() -> None:
    assert {
        "fieldguide-clip": f"clip:{CLIP}",
        "fieldguide-dinov2": f"dinov2:{DINOV2}",
    } == BUILT_IN
    assert CLIP.is_absolute()
    assert DINOV2.is_dir()


def test_naming_the_backbones_loads_no_torch() -> None:
    code = "import sys, saecli.demo.backbones; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_both_models_together_stay_under_12_mb_of_float16() -> None:
    from safetensors import safe_open

    files = [CLIP / "open_clip_model.safetensors", DINOV2 / "model.safetensors"]
    for file in files:
        with safe_open(file, "pt") as weights:
            kinds = {weights.get_slice(key).get_dtype() for key in weights.keys()}  # noqa: SIM118
        assert kinds == {"F16"}
    assert sum(file.stat().st_size for folder in (CLIP, DINOV2) for file in folder.iterdir()) < 12e6


def test_open_clip_loads_model_and_tokenizer_from_another_working_directory(
    tmp_path: Path, tokenizer: open_clip.tokenizer.HFTokenizer
) -> None:
    code = (
        "import sys, open_clip; name = 'local-dir:' + sys.argv[1]\n"
        "tokens = open_clip.get_tokenizer(name)(['a photo of a blue jay'])\n"
        "model, _, _ = open_clip.create_model_and_transforms(name)\n"
        "print(tokens[0].tolist(), model.visual.grid_size)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(CLIP)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    tokens = tokenizer(["a photo of a blue jay"])[0].tolist()
    assert done.stdout.strip().endswith(f"{tokens} (14, 14)")


def test_every_word_of_the_world_is_one_token_and_comes_back(
    tokenizer: open_clip.tokenizer.HFTokenizer,
) -> None:
    rng = np.random.default_rng(0)
    texts = every_prompt() + [caption(render(901, i), rng) for i in range(200)]
    rows = tokenizer(texts).tolist()
    assert max(tokenizer.tokenizer.get_vocab().values()) == len(tokenizer.tokenizer) - 1
    for text, row in zip(texts, rows, strict=True):
        names = tokenizer.tokenizer.convert_ids_to_tokens([i for i in row if i != 0])
        assert names == ["<start>", *words_of(text), "<end>"]


def test_words_outside_the_vocabulary_become_unknown_and_long_texts_are_cut(
    tokenizer: open_clip.tokenizer.HFTokenizer,
) -> None:
    vocabulary = tokenizer.tokenizer.get_vocab()
    row = tokenizer(["a photo of a pangolin, café & Ω"])[0].tolist()
    photo = [vocabulary[w] for w in ("<start>", "a", "photo", "of", "a")]
    unknown = vocabulary["<unk>"]
    assert row[:9] == [*photo, unknown, unknown, unknown, vocabulary["<end>"]]
    long = tokenizer(["a " * 60])[0]
    assert long.shape == (24,)
    assert long[-1] == vocabulary["<end>"]
    assert tokenizer([""])[0, :2].tolist() == [vocabulary["<start>"], vocabulary["<end>"]]


def test_the_text_tower_reads_its_answer_at_the_end_token(
    clip: open_clip.CLIP, tokenizer: open_clip.tokenizer.HFTokenizer
) -> None:
    texts = ["a photo of sand", "a photo of a blue jay on sand"]
    together = text_directions(clip, tokenizer, texts)
    padded = tokenizer(texts[:1])
    padded[0, 6:] = 1  # what stands behind <end> must not matter
    with torch.no_grad():
        alone = torch.nn.functional.normalize(clip.encode_text(padded), dim=-1)
    torch.testing.assert_close(alone, together[:1], rtol=0, atol=1e-5)
    assert tokenizer(texts).argmax(1).tolist() == [5, 9]


def test_a_picture_of_112_pixels_reaches_both_models_unresized() -> None:
    from PIL import Image

    image = Image.fromarray(render(901, 3).image)
    expected = to_input(np.asarray(image)[None])[0]
    preprocess = open_clip.create_model_and_transforms(f"local-dir:{CLIP}")[2]
    torch.testing.assert_close(preprocess(image), expected, rtol=0, atol=1e-6)
    processor = AutoImageProcessor.from_pretrained(DINOV2)
    values = processor(image, return_tensors="pt")["pixel_values"][0]
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-5)


def test_the_grids_are_14_by_14_and_16_by_16(clip: open_clip.CLIP, dinov2: Dinov2Model) -> None:
    images = torch.zeros(2, 3, 112, 112)
    with torch.no_grad():
        assert clip.encode_image(images).shape == (2, 128)
        assert dinov2(images).last_hidden_state.shape == (2, 1 + 16 * 16, 128)
    assert clip.visual.grid_size == (14, 14)
    assert len(clip.visual.transformer.resblocks) == dinov2.config.num_hidden_layers == 6


def test_clip_names_most_species_grounds_and_concepts_of_new_pictures(
    clip: open_clip.CLIP, tokenizer: open_clip.tokenizer.HFTokenizer
) -> None:
    scores = zero_shot_scores(clip, tokenizer, n=120, seed=904)
    assert scores["species"] > 0.9
    assert scores["wing"] > 0.95
    assert scores["ground"] > 0.85
    assert scores["concept"] > 0.9


def test_a_twin_s_patches_change_clip_s_answer_and_its_class_token_does_not(
    clip: open_clip.CLIP, tokenizer: open_clip.tokenizer.HFTokenizer
) -> None:
    texts = text_directions(clip, tokenizer, species_prompts().values())
    shares = swap_scores(clip, texts, n=2, seed=905)["all"]
    assert shares["patches"] > 0.9
    assert shares["class_token"] < 0.1


def test_the_label_free_model_separates_species_and_grounds(dinov2: Dinov2Model) -> None:
    scores = patch_scores(dinov2, n_train=240, n_test=120, seed=906)
    assert scores["species"] > 0.5  # few pictures to learn from; chance is 0.04
    assert scores["mean_iou"] > 0.7


@pytest.mark.parametrize("folder", [CLIP, DINOV2], ids=["clip", "dinov2"])
def test_the_model_card_states_training_licence_and_scores(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    for part in ("MIT", "python -m saecli.demo.backbones", "seed"):
        assert part in card
    names = {"config.json", "open_clip_config.json"} & {file.name for file in folder.iterdir()}
    assert all(json.loads((folder / name).read_text()) for name in names)
