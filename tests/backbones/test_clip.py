"""open_clip's pretrained tags and QuickGELU, and the text tower with the model's own tokenizer."""

import json
import shutil

import pytest
import torch

from saecli.backbones import load, load_untrained
from saecli.errors import SaecliError
from tests.models import write_tiny_clip

ARCHITECTURE = "Tiny-B-8"


@pytest.fixture
def tags(tmp_path, monkeypatch):
    """A tiny architecture among open_clip's own, with weights under two tags."""
    import open_clip.factory
    import open_clip.pretrained

    folder = write_tiny_clip(tmp_path / "weights")
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    file = str(folder / "open_clip_model.safetensors")
    plain = {"file": file, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    for name, quick in ((ARCHITECTURE, False), (f"{ARCHITECTURE}-quickgelu", True)):
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, config | {"quick_gelu": quick})
        monkeypatch.setitem(
            open_clip.pretrained._PRETRAINED,
            name,
            {"openai": plain | {"quick_gelu": True}, "laion": plain},
        )
    return folder


def test_a_tag_that_needs_quick_gelu_gets_it(tags):
    import open_clip

    backbone = load(f"clip:{ARCHITECTURE}/openai", device="cpu")
    pixels = torch.randn(3, 3, 32, 32)
    theirs = open_clip.create_model(f"{ARCHITECTURE}-quickgelu", pretrained="openai").eval()
    with torch.no_grad():
        expected = theirs.encode_image(pixels)
        assert torch.equal(backbone.resume(backbone.record(pixels, 1), 1).embedding, expected)
    assert backbone.source == f"{ARCHITECTURE}/openai"
    same = load(f"clip:{ARCHITECTURE}-quickgelu/openai", device="cpu")
    assert same.digest == backbone.digest


def test_a_tag_without_quick_gelu_does_not_get_it(tags):
    backbone = load(f"clip:{ARCHITECTURE}/laion", device="cpu")
    quick = load(f"clip:{ARCHITECTURE}/openai", device="cpu")
    assert isinstance(backbone.model.visual.transformer.resblocks[0].mlp.gelu, torch.nn.GELU)
    assert backbone.digest != quick.digest


def test_quick_gelu_for_weights_trained_without_it_is_refused(tags):
    with pytest.raises(SaecliError, match=r"computes QuickGELU .* trained without it"):
        load(f"clip:{ARCHITECTURE}-quickgelu/laion", device="cpu")


def test_preprocessing_comes_with_the_tag(tags):
    backbone = load(f"clip:{ARCHITECTURE}/openai", device="cpu")
    assert json.loads(backbone.image_transform)["mean"] == [0.5, 0.5, 0.5]


def has_patch_tower(architecture: str) -> bool:
    from open_clip.factory import _MODEL_CONFIGS

    vision = _MODEL_CONFIGS[architecture]["vision_cfg"]
    return (
        "timm_model_name" not in vision
        and isinstance(vision["layers"], int)
        and not vision.get("attentional_pool")
    )


# The one whose weights are said to need another activation than its architecture computes.
CONTRADICTORY = ("roberta-ViT-B-32", "laion2b_s12b_b32k")


def test_every_pretrained_tag_gets_the_activation_it_was_trained_with():
    import open_clip

    from saecli.backbones.clip_sources import find

    usable = [pair for pair in open_clip.list_pretrained() if has_patch_tower(pair[0])]
    assert len(usable) > 50
    for architecture, tag in usable:
        if (architecture, tag) == CONTRADICTORY:
            with pytest.raises(SaecliError, match="computes QuickGELU"):
                find(f"{architecture}/{tag}", weights=False)
            continue
        wanted = bool(open_clip.get_pretrained_cfg(architecture, tag).get("quick_gelu"))
        found = find(f"{architecture}/{tag}", weights=False)
        assert found.config["quick_gelu"] == found.quick_gelu == wanted


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Tiny-B-9/openai", f"ARCH one of {ARCHITECTURE}"),
        (f"{ARCHITECTURE}/openia", "no weights 'openia' .* one of openai"),
        (ARCHITECTURE, "ARCH/PRETRAINED"),
        ("/no/such/folder", "neither a folder nor"),
        ("RN50/openai", "a ResNet"),
        ("coca_ViT-B-32/laion2b_s13b_b90k", "attentional pooling"),
    ],
)
def test_names_that_open_clip_does_not_have_offer_the_nearest(tags, source, words):
    with pytest.raises(SaecliError, match=words):
        load(f"clip:{source}", device="cpu")


def test_the_untrained_twin_of_a_tag_needs_no_weights(tags):
    (tags / "open_clip_model.safetensors").unlink()
    twin = load_untrained(f"clip:{ARCHITECTURE}/openai", 0, device="cpu")
    gelu = twin.model.visual.transformer.resblocks[0].mlp.gelu
    assert type(gelu).__name__ == "QuickGELU"


def test_texts_are_encoded_with_the_folders_own_tokenizer(
    tiny_clip_folder, tmp_path, monkeypatch, device
):
    import open_clip

    texts = ["a photo of a bird", "red wing", "sand"]
    tokens = open_clip.get_tokenizer(f"local-dir:{tiny_clip_folder}")(texts)
    theirs = open_clip.create_model(f"local-dir:{tiny_clip_folder}").eval()
    with torch.no_grad():
        expected = theirs.encode_text(tokens)
    backbone = load(f"clip:{tiny_clip_folder}", device=device)
    monkeypatch.chdir(tmp_path)
    got = backbone.encode_text(texts)
    torch.testing.assert_close(got.cpu(), expected, rtol=0, atol=1e-5)
    assert not torch.allclose(got[1], got[2])
    assert not got.requires_grad


def test_a_relative_merges_file_is_found_in_the_folder(tmp_path, monkeypatch):
    import gzip

    import open_clip.tokenizer

    folder = write_tiny_clip(tmp_path / "clip")
    merges = folder / "small.txt.gz"
    with gzip.open(merges, "wt") as file:
        file.write("header\ns a\nsa n\nsan d</w>\n")
    expected = open_clip.tokenizer.SimpleTokenizer(bpe_path=str(merges), context_length=12)
    config = json.loads((folder / "open_clip_config.json").read_text())
    text = config["model_cfg"]["text_cfg"]
    del text["hf_tokenizer_name"]
    text |= {"vocab_size": expected.vocab_size, "tokenizer_kwargs": {"bpe_path": merges.name}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False).eval()
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    (folder / "open_clip_model.safetensors").unlink()
    monkeypatch.chdir(tmp_path)
    backbone = load(f"clip:{folder}", device="cpu")
    with torch.no_grad():
        wanted = model.encode_text(expected(["sand"]))
    assert torch.equal(backbone.encode_text(["sand"]), wanted)


def test_a_tokenizer_of_another_model_is_refused(tmp_path, tiny_clip_folder):
    folder = shutil.copytree(tiny_clip_folder, tmp_path / "clip")
    config = json.loads((folder / "open_clip_config.json").read_text())
    del config["model_cfg"]["text_cfg"]["hf_tokenizer_name"]
    del config["model_cfg"]["text_cfg"]["tokenizer_kwargs"]
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    backbone = load(f"clip:{folder}", device="cpu")  # pictures alone need no tokenizer
    with pytest.raises(SaecliError, match="isn't its own"):
        backbone.encode_text(["sand"])


def test_a_missing_tokenizer_is_one_sentence(tmp_path, tiny_clip_folder):
    folder = shutil.copytree(tiny_clip_folder, tmp_path / "clip")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    backbone = load(f"clip:{folder}", device="cpu")
    with pytest.raises(SaecliError, match=r"tokenizer of .* can't be loaded") as caught:
        backbone.encode_text(["sand"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float32", "bf16"])
def test_the_temperature_is_the_trained_one_in_every_precision(tiny_clip_folder, dtype):
    backbone = load(f"clip:{tiny_clip_folder}", device="cpu", dtype=dtype)
    assert backbone.logit_scale == pytest.approx(1 / 0.07, rel=1e-6)  # where open_clip starts


def test_no_text_is_an_error(tiny_clip_folder):
    with pytest.raises(SaecliError, match="no text"):
        load(f"clip:{tiny_clip_folder}", device="cpu").encode_text([])


def test_dinov2_reads_no_text(tiny_dinov2_folder):
    with pytest.raises(SaecliError, match="reads no text"):
        load(f"dinov2:{tiny_dinov2_folder}", device="cpu").encode_text(["sand"])
