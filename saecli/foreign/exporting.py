"""saecli's dictionaries as other projects' files, where those compute the same function.

Written in raw units (σ = 1, μ = 0): b_enc = σ·b_enc − μ W_enc, b_dec = σ·b_dec + μ, θ = σ·θ, so
that their f is σ times saecli's.
"""

import io
import json
from dataclasses import dataclass
from typing import Any, Literal

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor

from saecli import __version__
from saecli.errors import SaecliError
from saecli.sae.model import Dictionary
from saecli.sae.normalisation import AFFINE, NORM_RESCALE, layer_norm

Target = Literal["saelens", "dictionary-learning"]
SAELENS_EPS = 1e-5  # the only one that its layer_norm has
SAELENS_VERSION = "6.0.0"  # whose settings these are; without it they are taken as older ones


@dataclass(frozen=True, eq=False)
class Raw:
    """A dictionary in the backbone's units."""

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    threshold: Tensor | None


def files_of(dictionary: Dictionary, name: str, target: Target) -> dict[str, bytes]:
    """The files of another project's folder, by their names.

    Args:
        dictionary: on the CPU, float32.
        name: what the dictionary is called, kept among the settings.
        target: whose files.

    Raises:
        SaecliError: if the project has no dictionary that computes the same.
    """
    _check(dictionary, target)
    write = _saelens if target == "saelens" else _dictionary_learning
    return write(dictionary, name)


def raw(dictionary: Dictionary) -> Raw:
    """The dictionary in the backbone's units; the same tensors where it is in them already."""
    scale, mean = dictionary.scale.double(), dictionary.mean.double()
    if float(scale) == 1 and not mean.any():
        return Raw(
            dictionary.W_enc,
            dictionary.b_enc,
            dictionary.W_dec,
            dictionary.b_dec,
            dictionary.threshold,
        )
    b_enc = scale * dictionary.b_enc.double() - mean @ dictionary.W_enc.double()
    theta = dictionary.threshold
    return Raw(
        dictionary.W_enc,
        b_enc.float(),
        dictionary.W_dec,
        (scale * dictionary.b_dec.double() + mean).float(),
        None if theta is None else (scale * theta.double()).float(),
    )


def _check(dictionary: Dictionary, target: str) -> None:
    rule, problem = dictionary.normalisation, None
    known = {AFFINE}
    if target == "saelens":
        known |= {NORM_RESCALE, layer_norm(SAELENS_EPS)}
    if dictionary.select_scale is not None:
        problem = "ranks its latents on another scale than it reports them"
    elif dictionary.topk_signed:
        problem = "keeps negative values among the k largest"
    elif dictionary.threshold_inclusive:
        problem = "keeps values that equal their threshold"
    elif rule not in known:
        problem = f"normalises each patch by itself ({rule})"
    if problem is not None:
        raise SaecliError(
            f"the dictionary {problem}, which no {target} file can state",
            "export it as safetensors",
        )


def _saelens(dictionary: Dictionary, name: str) -> dict[str, bytes]:
    """`cfg.json` and `sae_weights.safetensors`, as `SAE.load_from_disk` of SAELens 6 reads them."""
    weights, identity = raw(dictionary), dictionary.identity
    rules = {AFFINE: "none", NORM_RESCALE: "constant_norm_rescale"}
    architecture = {"relu": "standard"}.get(dictionary.activation, dictionary.activation)
    settings: dict[str, Any] = {
        "architecture": architecture,
        "d_in": dictionary.d_model,
        "d_sae": dictionary.n_latents,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": rules.get(dictionary.normalisation, "layer_norm"),
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": SAELENS_VERSION,
            "model_name": identity.backbone,
            "hook_name": f"blocks.{identity.layer}.hook_resid_post",
            "training_architecture_details": {"matryoshka_widths": list(dictionary.prefixes)}
            if dictionary.prefixes
            else None,
            **_provenance(dictionary, name),
        },
    }
    if architecture == "topk":
        settings |= {"k": dictionary.k, "rescale_acts_by_decoder_norm": False}
    tensors = {name: value for name, value in vars(weights).items() if value is not None}
    return {
        "cfg.json": _json(settings),
        "sae_weights.safetensors": save_tensors(
            {name: value.contiguous() for name, value in tensors.items()}
        ),
    }


def _dictionary_learning(dictionary: Dictionary, name: str) -> dict[str, bytes]:
    """`ae.pt` and `config.json`, as the library's `load_dictionary` reads them."""
    weights, identity = raw(dictionary), dictionary.identity
    if dictionary.activation == "jumprelu":
        kind, state = "JumpReluAutoEncoder", dict(vars(weights))
    else:
        kind = "AutoEncoderNew" if dictionary.activation == "relu" else "AutoEncoderTopK"
        state = {
            "encoder.weight": weights.W_enc.T,
            "encoder.bias": weights.b_enc,
            "decoder.weight": weights.W_dec.T,
        }
        if kind == "AutoEncoderNew":
            state["decoder.bias"] = weights.b_dec
        else:  # this class subtracts the decoder's bias before it encodes
            shift = weights.b_dec.double() @ weights.W_enc.double()
            state["encoder.bias"] = (weights.b_enc.double() + shift).float()
            state["b_dec"] = weights.b_dec
            state["k"] = torch.tensor(dictionary.k, dtype=torch.int32)
            state["threshold"] = torch.tensor(-1.0)
    trainer = {
        "dict_class": kind,
        "activation_dim": dictionary.d_model,
        "dict_size": dictionary.n_latents,
        "k": dictionary.k,
        "layer": identity.layer,
        "lm_name": identity.backbone,
        "submodule_name": f"resid_post_layer_{identity.layer}",
        **_provenance(dictionary, name),
    }
    file = io.BytesIO()
    torch.save({key: value.contiguous() for key, value in state.items()}, file)
    return {"ae.pt": file.getvalue(), "config.json": _json({"trainer": trainer, "buffer": {}})}


def _provenance(dictionary: Dictionary, name: str) -> dict[str, Any]:
    """What another program would otherwise lose."""
    identity = dictionary.identity
    return {
        "saecli": {
            "version": __version__,
            "dictionary": name,
            "backbone_digest": identity.backbone_digest,
            "layer": identity.layer,
            "grid": list(identity.grid),
            "scale": float(dictionary.scale),
        }
    }


def _json(settings: dict[str, Any]) -> bytes:
    return (json.dumps(settings, indent=1) + "\n").encode()
