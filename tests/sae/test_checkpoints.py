"""Checkpoints: what is written is read, and nothing else is."""

import hashlib
import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from saecli.errors import SaecliError
from saecli.sae.checkpoints import load, save, to_bytes
from saecli.sae.model import Dictionary
from tests.dictionaries import IDENTITY, random_dictionary


def parts(data: bytes) -> tuple[dict, bytes]:
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header: dict, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def with_setting(data: bytes, **changes: object) -> bytes:
    header, body = parts(data)
    inner = json.loads(header["__metadata__"]["saecli"]) | changes
    header["__metadata__"]["saecli"] = json.dumps(inner)
    return joined(header, body)


def same(a: Dictionary, b: Dictionary) -> bool:
    for name, value in vars(a).items():
        other = getattr(b, name)
        if isinstance(value, torch.Tensor):
            if not torch.equal(value, other):
                return False
        elif value != other:
            return False
    return True


@settings(max_examples=40, deadline=None)
@given(
    d_model=st.integers(1, 9),
    n_latents=st.integers(1, 30),
    activation=st.sampled_from(["relu", "topk", "jumprelu"]),
    signed=st.booleans(),
    inclusive=st.booleans(),
    scaled=st.booleans(),
    prefixes=st.none() | st.lists(st.integers(1, 30), min_size=1).map(tuple),
    name=st.text(),
    untrained=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_round_trip(
    d_model, n_latents, activation, signed, inclusive, scaled, prefixes, name, untrained, seed
):
    dictionary = random_dictionary(
        d_model,
        n_latents,
        activation,
        k=n_latents,
        seed=seed,
        identity=replace(IDENTITY, backbone=name, untrained=untrained),
        topk_signed=signed,
        threshold_inclusive=inclusive,
        prefixes=prefixes,
        select_scale=torch.rand(n_latents) if scaled else None,
    )
    assert same(load(to_bytes(dictionary)), dictionary)


def test_file_and_bytes_are_one_and_digest_is_theirs(tmp_path):
    dictionary = random_dictionary()
    path = tmp_path / "new folder" / "clip.safetensors"
    digest = save(dictionary, path)
    assert path.read_bytes() == to_bytes(dictionary)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert same(load(path), dictionary)
    assert [item.name for item in path.parent.iterdir()] == ["clip.safetensors"]


def test_other_programs_read_the_documented_form(tmp_path):
    path = tmp_path / "clip.safetensors"
    save(random_dictionary(k=4), path)
    with safe_open(path, "pt") as file:
        assert sorted(file.keys()) == ["W_dec", "W_enc", "b_dec", "b_enc", "mean", "scale"]
        assert file.get_tensor("W_enc").shape == (8, 24)
        assert file.get_tensor("W_dec").shape == (24, 8)
        header = json.loads(file.metadata()["saecli"])
    assert header == {
        "format": 1,
        "activation": "topk",
        "k": 4,
        "topk_signed": False,
        "threshold_inclusive": False,
        "normalisation": "affine",
        "prefixes": None,
        "identity": {
            "backbone": "clip:tiny",
            "backbone_digest": "0" * 64,
            "image_transform": '{"size": 32}',
            "layer": 1,
            "tokens": "patches",
            "d_model": 8,
            "grid": [2, 3],
            "untrained": False,
        },
    }


def broken(**tensors: torch.Tensor) -> bytes:
    return to_bytes(replace(random_dictionary(), **tensors))


def nan_at(name: str) -> bytes:
    tensor = getattr(random_dictionary(), name).clone()
    tensor.view(-1)[0] = float("nan")
    return broken(**{name: tensor})


def renamed(old: str, new: str) -> bytes:
    header, body = parts(to_bytes(random_dictionary()))
    header[new] = header.pop(old)
    return joined(header, body)


GOOD = to_bytes(random_dictionary())

WRONG: dict[str, tuple[bytes, str]] = {
    "not a number": (nan_at("W_enc"), "W_enc in .* holds values that aren't finite"),
    "infinite": (broken(mean=torch.full((8,), float("inf"))), "mean in .* aren't finite"),
    "missing tensor": (renamed("b_dec", "c_dec"), "lacks b_dec"),
    "missing threshold": (
        to_bytes(random_dictionary(activation="jumprelu")).replace(
            b'"threshold":', b'"thresholx":'
        ),
        "lacks threshold",
    ),
    "missing first tensor": (renamed("b_enc", "c_enc"), "lacks b_enc"),
    "wrong shape": (broken(b_dec=torch.zeros(9)), "b_dec in .* is float32 9 and should be .* 8"),
    "wrong width": (broken(W_enc=torch.zeros(7, 24)), "W_enc in .* is float32 7×24 and should"),
    "long row": (broken(W_dec=2 * random_dictionary().W_dec), r"row \d+ of W_dec .* unit norm"),
    "no scale": (broken(scale=torch.zeros(1)), "scale in .* is 0.0, not positive"),
    "cut short": (GOOD[:-1], "cut short or damaged"),
    "cut in its header": (GOOD[:100], "cut short"),
    "empty": (b"", "cut short or no safetensors file"),
    "text": (b"this is not a checkpoint at all, it is a sentence", "no safetensors file"),
    "newer": (with_setting(GOOD, format=2), "format 2, and this saecli reads format 1"),
    "unknown activation": (with_setting(GOOD, activation="gelu"), "unknown .* 'gelu'"),
    "unknown rule": (with_setting(GOOD, normalisation="layer_norm 1e-5"), "'layer_norm 1e-5'"),
    "no k": (with_setting(GOOD, k=None), "k = None"),
    "large k": (with_setting(GOOD, k=25), "k = 25 of only 24"),
    "no identity": (with_setting(GOOD, identity={}), "misstates a setting"),
    "another program's": (
        joined({"W": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}, b""),
        "no dictionary that saecli wrote",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_bad_checkpoint_is_refused_in_one_sentence(case, tmp_path):
    data, words = WRONG[case]
    with pytest.raises(SaecliError, match=words) as raised:
        load(data)
    assert "\n" not in str(raised.value)
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(SaecliError) as from_file:
        load(path)
    assert str(path) in str(from_file.value)


def test_an_unknown_tensor_is_refused():
    header, body = parts(GOOD)
    end = len(body)
    header["notes"] = {"dtype": "U8", "shape": [3], "data_offsets": [end, end + 3]}
    with pytest.raises(SaecliError, match="has the unknown tensor notes"):
        load(joined(header, body + b"abc"))


def test_half_precision_is_refused():
    header, _ = parts(GOOD)
    tensors = {k: getattr(random_dictionary(), k) for k in header if k != "__metadata__"}
    from safetensors.torch import save as save_tensors

    data = save_tensors(
        tensors | {"W_enc": tensors["W_enc"].half()}, metadata=header["__metadata__"]
    )
    with pytest.raises(SaecliError, match="W_enc in the checkpoint is float16 8×24"):
        load(data)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SaecliError, match=r"nothing\.safetensors can't be read"):
        load(tmp_path / "nothing.safetensors")


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "clip.safetensors"
    save(random_dictionary(seed=1), path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaecliError, match="the disk is full"):
        save(random_dictionary(seed=2), path)
    assert path.read_bytes() == before
    assert [item.name for item in Path(tmp_path).iterdir()] == ["clip.safetensors"]
