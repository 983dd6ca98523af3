"""dictionary_learning 0.1: `ae.pt`, a state dict, beside `config.json` with the trainer's settings.

Saved files are in raw units: the run's normalisation is multiplied into the biases and thresholds.
An interrupted run leaves `ae.pt` with its optimiser, in normalised units, and the factor beside.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.foreign.content import Content, fields, state_dict
from saecli.foreign.hooks import elsewhere, layer_of_module, layer_of_place
from saecli.foreign.keys import number, refuse, take
from saecli.foreign.said import Said
from saecli.foreign.source import Attachment, Source

NAME = "dictionary-learning"
TAKES: frozenset[str] = frozenset()

_LINEAR = ("encoder.weight", "encoder.bias", "decoder.weight")
_MATRICES = ("W_enc", "b_enc", "W_dec", "b_dec")
KEYS: dict[str, tuple[str, ...]] = {
    "AutoEncoder": (*_LINEAR, "bias"),
    "AutoEncoderNew": (*_LINEAR, "decoder.bias"),
    "GatedAutoEncoder": (
        "encoder.weight",
        "decoder.weight",
        "decoder_bias",
        "gate_bias",
        "mag_bias",
        "r_mag",
    ),
    "JumpReluAutoEncoder": (*_MATRICES, "threshold"),
    "AutoEncoderTopK": (*_LINEAR, "b_dec", "k", "threshold"),
    "BatchTopKSAE": (*_LINEAR, "b_dec", "k", "threshold"),
    "MatryoshkaBatchTopKSAE": (*_MATRICES, "k", "threshold", "group_sizes"),
}
"""The tensors of each class."""
_SPELLINGS = {"MatroyshkaBatchTopKSAE": "MatryoshkaBatchTopKSAE"}  # of its earlier releases
_OPTIONAL = {"AutoEncoderTopK": ("threshold",), "BatchTopKSAE": ()}
_FACTORED = ("bias", "b_enc", "b_dec", "decoder_bias", "gate_bias", "mag_bias", "threshold")


def recognises(content: Content) -> bool:
    """Whether the settings name a trainer's dictionary, or the tensors are those of a class."""
    settings = (content.config or {}).get("trainer")
    if isinstance(settings, Mapping) and "dict_class" in settings:
        return True
    return _class_by_keys(set(_tensors(content)[0])) is not None


def read(content: Content, said: Said) -> Source:
    """Read a finished or an interrupted run's dictionary.

    Raises:
        SaecliError: if its class is unknown, or the files don't say which it is.
    """
    name = content.shown
    stated = (content.config or {}).get("trainer")
    settings: dict[str, Any] = dict(stated) if isinstance(stated, Mapping) else {}
    tensors, interrupted = _tensors(content)
    kind = settings.get("dict_class") or _class_by_keys(set(tensors))
    kind = _SPELLINGS.get(str(kind), str(kind))
    if kind not in KEYS:
        if kind == "None":
            raise SaecliError(
                f"{name} doesn't say whether it is an AutoEncoderTopK or a BatchTopKSAE",
                "put the run's config.json beside it",
            )
        raise refuse(name, f"a {kind}")
    optional = _OPTIONAL.get(kind, ())
    needed = [key for key in KEYS[kind] if key not in optional]
    tensors = take(tensors, needed, name, optional=optional)
    if interrupted:
        tensors = _in_raw_units(tensors, content, name)
    return Source(
        format=NAME,
        attachment=_attachment(settings),
        details={
            "dict_class": kind,
            "submodule": settings.get("submodule_name"),
            "trainer": settings.get("trainer_class"),
            "interrupted": interrupted,
        },
        notes=("read from an interrupted run",) if interrupted else (),
        **_of_class(kind, tensors, name),
    )


def _of_class(kind: str, tensors: Mapping[str, Tensor], name: str) -> dict[str, Any]:
    if kind in ("JumpReluAutoEncoder", "MatryoshkaBatchTopKSAE"):
        parts: dict[str, Any] = {
            "W": tensors["W_enc"],
            "b": tensors["b_enc"],
            "D": tensors["W_dec"],
            "c": tensors["b_dec"],
        }
    else:
        bias = {
            "AutoEncoder": "bias",
            "AutoEncoderNew": "decoder.bias",
            "GatedAutoEncoder": "decoder_bias",
        }.get(kind, "b_dec")
        gated = kind == "GatedAutoEncoder"
        parts = {
            "W": tensors["encoder.weight"].T,
            "b": tensors["mag_bias" if gated else "encoder.bias"],
            "D": tensors["decoder.weight"].T,
            "c": tensors[bias],
        }
    parts["subtracts"] = kind not in ("AutoEncoderNew", "JumpReluAutoEncoder")
    if kind == "GatedAutoEncoder":
        parts |= {"activation": "gated", "gate_bias": tensors["gate_bias"]}
        parts |= {"log_gain": tensors["r_mag"]}
    elif kind == "JumpReluAutoEncoder":
        parts |= {"activation": "jumprelu", "threshold": tensors["threshold"]}
    elif kind == "AutoEncoderTopK":
        parts |= {"activation": "topk", "k": number(tensors, "k", name)}
    elif kind in ("BatchTopKSAE", "MatryoshkaBatchTopKSAE"):
        theta = float(tensors["threshold"])
        if theta < 0:  # not estimated yet
            parts["activation"] = "relu"
        else:
            everywhere = torch.full((len(parts["b"]),), theta)
            parts |= {"activation": "jumprelu", "threshold": everywhere}
        if kind == "MatryoshkaBatchTopKSAE":
            sizes = tensors["group_sizes"].cumsum(0).tolist()
            parts["prefixes"] = tuple(int(width) for width in sizes)
    else:
        parts["activation"] = "relu"
    return parts


def _tensors(content: Content) -> tuple[dict[str, Tensor], bool]:
    """The state dict, and whether it is an interrupted run's."""
    saved = fields(content.root)
    if "ae" in saved and "optimizer" in saved:
        return state_dict(saved["ae"]), True
    return content.tensors(), False


def _class_by_keys(keys: set[str]) -> str | None:
    found = [kind for kind, needed in KEYS.items() if set(needed) == keys]
    return found[0] if len(found) == 1 else None


def _in_raw_units(tensors: dict[str, Tensor], content: Content, name: str) -> dict[str, Tensor]:
    factor = fields(content.root).get("norm_factor")
    if isinstance(factor, Tensor) and factor.numel() == 1:
        factor = factor.item()
    if factor is None:
        return tensors
    if not isinstance(factor, int | float) or not factor > 0:
        raise SaecliError(f"{name} states norm_factor = {factor}", "get the file anew")
    return {
        key: value * factor
        if key.rpartition(".")[2] in _FACTORED and not (key == "threshold" and (value < 0).all())
        else value
        for key, value in tensors.items()
    }


def _attachment(settings: Mapping[str, Any]) -> Attachment:
    layer, place = settings.get("layer"), settings.get("submodule_name")
    model = settings.get("lm_name")
    named = str(model) if model else None
    if isinstance(place, str) and place:
        if place.startswith(("mlp", "attn")):
            raise elsewhere(place)
        if place.startswith("resid_pre") and isinstance(layer, int):
            return Attachment(layer_of_place(layer, "hook_resid_pre", place), named)
        by_module = layer_of_module(place)
        if by_module is not None:
            return Attachment(by_module, named)
    return Attachment(layer if isinstance(layer, int) and layer >= 0 else None, named)
