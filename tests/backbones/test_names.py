"""Backbone names, and that reading them costs no heavy import."""

import subprocess
import sys

import pytest

from saecli.backbones import BackboneName, parse_backbone
from saecli.errors import SaecliError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clip:ViT-B-16/openai", BackboneName("clip", "ViT-B-16/openai")),
        ("clip:hf-hub:org/name", BackboneName("clip", "hf-hub:org/name")),
        ("clip:/a b/[c]:d", BackboneName("clip", "/a b/[c]:d")),
        ("dinov2:facebook/dinov2-base", BackboneName("dinov2", "facebook/dinov2-base")),
        ("mine", BackboneName("dinov2", "/models/mine")),
    ],
)
def test_names_split_into_family_and_source(name, expected):
    assert parse_backbone(name, {"mine": "dinov2:/models/mine"}) == expected


@pytest.mark.parametrize("name", ["", "ViT-B-16", "vit:base", "clip:", "clip: ", "mine2"])
def test_other_names_are_wrong_usage_and_show_the_forms(name):
    with pytest.raises(SaecliError, match=r"mine, clip:ARCH/PRETRAINED.*dinov2:FOLDER") as caught:
        parse_backbone(name, {"mine": "dinov2:/models/mine"})
    assert caught.value.usage


@pytest.mark.parametrize("module", ["saecli.backbones", "saecli.backbones.names"])
def test_naming_a_backbone_loads_no_torch(module):
    program = (
        f"import sys, {module}; "
        "heavy = {'torch', 'open_clip', 'transformers'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_one_family_does_not_load_the_other_library(tiny_dinov2_folder):
    program = (
        "import sys; from saecli.backbones import load; "
        f"load('dinov2:{tiny_dinov2_folder}', device='cpu'); "
        "sys.exit('open_clip' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # neither a progress bar nor a warning
    assert done.stdout == ""
