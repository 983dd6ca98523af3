"""Model folders that can't be the model that was trained: one sentence each."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from saecli.backbones import load
from saecli.errors import SaecliError
from tests.models import write_tiny_clip, write_tiny_dinov2


def refusal(name: str) -> str:
    with pytest.raises(SaecliError) as caught:
        load(name, device="cpu")
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 500
    return sentence


def edit_json(file, **changes) -> None:
    content = json.loads(file.read_text())
    for key, value in changes.items():
        target = content
        *parents, last = key.split("__")
        for parent in parents:
            target = target[parent]
        target[last] = value
    file.write_text(json.dumps(content))


def edit_weights(file, change) -> None:
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


@pytest.fixture
def clip(tmp_path):
    return write_tiny_clip(tmp_path / "my clip [1]")


@pytest.fixture
def dinov2(tmp_path):
    return write_tiny_dinov2(tmp_path / "my dinov2 [1]")


def test_the_other_family_is_named(clip, dinov2, tiny_registers_folder):
    assert f"name it clip:{clip}" in refusal(f"dinov2:{clip}")
    assert f"name it dinov2:{dinov2}" in refusal(f"clip:{dinov2}")
    assert f"name it dinov2:{tiny_registers_folder}" in refusal(f"clip:{tiny_registers_folder}")


@pytest.mark.parametrize("family", ["clip", "dinov2"])
def test_another_kind_of_model_is_named(tmp_path, family):
    import transformers

    transformers.ViTConfig().save_pretrained(tmp_path)
    sentence = refusal(f"{family}:{tmp_path}")
    assert "type 'vit'" in sentence
    assert "open_clip (clip:) and DINOv2 (dinov2:)" in sentence


@pytest.mark.parametrize(
    ("family", "file"), [("clip", "open_clip_config.json"), ("dinov2", "config.json")]
)
def test_a_folder_without_a_model_says_which_file_it_lacks(tmp_path, family, file):
    assert f"holds no {file}" in refusal(f"{family}:{tmp_path}")


def test_a_folder_without_weights_is_refused(clip, dinov2):
    (clip / "open_clip_model.safetensors").unlink()
    assert "holds no weights" in refusal(f"clip:{clip}")
    (dinov2 / "model.safetensors").unlink()
    assert "holds no weights" in refusal(f"dinov2:{dinov2}")


def test_truncated_weights_are_refused(clip, dinov2):
    for folder, name in ((clip, "open_clip_model"), (dinov2, "model")):
        file = folder / f"{name}.safetensors"
        file.write_bytes(file.read_bytes()[:5000])
    assert "no working model" in refusal(f"clip:{clip}")
    assert "no working model" in refusal(f"dinov2:{dinov2}")


def test_a_wrong_width_is_refused(clip, dinov2):
    edit_json(clip / "open_clip_config.json", model_cfg__vision_cfg__width=40)
    assert "no working model" in refusal(f"clip:{clip}")
    edit_json(dinov2 / "config.json", hidden_size=40, num_attention_heads=5)
    assert "no working model" in refusal(f"dinov2:{dinov2}")


def test_a_wrong_number_of_layers_is_refused(clip, dinov2):
    edit_json(clip / "open_clip_config.json", model_cfg__vision_cfg__layers=2)
    assert re.search(r"Unexpected key.*resblocks\.2", refusal(f"clip:{clip}"))
    edit_json(dinov2 / "config.json", out_features=None, out_indices=None, stage_names=None)
    edit_json(dinov2 / "config.json", num_hidden_layers=2)
    assert "hold more than its configuration needs" in refusal(f"dinov2:{dinov2}")
    edit_json(dinov2 / "config.json", num_hidden_layers=4)
    assert re.search(r"lack .*layer\.3.* more", refusal(f"dinov2:{dinov2}"))


def test_missing_weights_are_refused(clip, dinov2):
    edit_weights(clip / "open_clip_model.safetensors", lambda w: w.pop("visual.proj"))
    assert "visual.proj" in refusal(f"clip:{clip}")
    edit_weights(dinov2 / "model.safetensors", lambda w: w.pop("layernorm.bias"))
    assert "lack layernorm.bias" in refusal(f"dinov2:{dinov2}")


def test_registers_are_never_dropped(tmp_path):
    folder = write_tiny_dinov2(tmp_path, registers=4)
    edit_json(folder / "config.json", model_type="dinov2")
    assert "register_tokens" in refusal(f"dinov2:{folder}")


def test_registers_are_never_invented(dinov2):
    edit_json(dinov2 / "config.json", model_type="dinov2_with_registers", num_register_tokens=4)
    assert "lack embeddings.register_tokens" in refusal(f"dinov2:{dinov2}")


def test_a_classifiers_head_is_left_aside(tmp_path, dinov2):
    import transformers

    model = transformers.Dinov2Model.from_pretrained(dinov2)
    classifier = transformers.Dinov2ForImageClassification(model.config)
    classifier.dinov2.load_state_dict(model.state_dict())
    classifier.save_pretrained(tmp_path / "classifier")
    backbone = load(f"dinov2:{tmp_path / 'classifier'}", device="cpu")
    assert backbone.digest == load(f"dinov2:{dinov2}", device="cpu").digest


def test_a_missing_mask_token_does_not_matter(dinov2):
    digest = load(f"dinov2:{dinov2}", device="cpu").digest
    edit_weights(dinov2 / "model.safetensors", lambda w: w.pop("embeddings.mask_token"))
    assert load(f"dinov2:{dinov2}", device="cpu").digest == digest


@pytest.mark.parametrize("content", ["{", "[1]", '{"model_cfg": 3}', '{"model_cfg": {}}'])
def test_a_broken_clip_configuration_is_refused(clip, content):
    (clip / "open_clip_config.json").write_text(content)
    assert "open_clip_config.json" in refusal(f"clip:{clip}") or "vision tower" in refusal(
        f"clip:{clip}"
    )


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_broken_dinov2_configuration_is_refused(dinov2, content):
    (dinov2 / "config.json").write_text(content)
    assert "config.json" in refusal(f"dinov2:{dinov2}")


def test_an_impossible_configuration_is_refused(clip, dinov2):
    edit_json(clip / "open_clip_config.json", model_cfg__vision_cfg__no_such_field=1)
    assert "no working model" in refusal(f"clip:{clip}")
    edit_json(dinov2 / "config.json", hidden_act="no such function")
    assert "no working model" in refusal(f"dinov2:{dinov2}")
    edit_json(dinov2 / "config.json", hidden_act="gelu", patch_size=None)
    assert "no usable patch_size" in refusal(f"dinov2:{dinov2}") or "no working model" in refusal(
        f"dinov2:{dinov2}"
    )


@pytest.mark.parametrize(
    ("vision", "words"),
    [
        ({"layers": [1, 1, 1, 1]}, "a ResNet"),
        ({"timm_model_name": "vit_tiny"}, "timm tower vit_tiny"),
        ({"attentional_pool": True}, "attentional pooling"),
        ({"pool_type": "none"}, "pooling 'none'"),
    ],
)
def test_towers_that_cannot_be_recorded_are_refused(clip, vision, words):
    edit_json(
        clip / "open_clip_config.json",
        **{f"model_cfg__vision_cfg__{key}": value for key, value in vision.items()},
    )
    assert words in refusal(f"clip:{clip}")


def test_a_pickle_that_runs_code_is_not_executed(clip, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    (clip / "open_clip_model.safetensors").unlink()
    torch.save({"state_dict": Evil()}, clip / "open_clip_pytorch_model.bin")
    assert "no working model" in refusal(f"clip:{clip}")
    assert not (tmp_path / "executed").exists()
