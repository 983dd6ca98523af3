"""Llamascopium (Language-Model-SAEs): `config.json` beside `sae_weights.safetensors`."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.foreign.content import Content
from saecli.foreign.hooks import layer_of_hook
from saecli.foreign.keys import number, refuse, take
from saecli.foreign.said import Said
from saecli.foreign.source import Attachment, Source

NAME = "llamascopium"
TAKES: frozenset[str] = frozenset()
_NORMS = "dataset_average_activation_norm"


def recognises(content: Content) -> bool:
    """Whether the tensors are named as Llamascopium names them."""
    return {"W_E", "W_D"} <= content.keys()


def read(content: Content, said: Said) -> Source:
    """Read a dictionary that encodes and rebuilds the same activations.

    Raises:
        SaecliError: if it is a transcoder, has a gated linear encoder, or an activation of its own.
    """
    name, settings = content.shown, content.config or {}
    if settings.get("sae_type", "sae") != "sae":
        raise refuse(name, f"a {settings['sae_type']}")
    if settings.get("use_glu_encoder") or {"W_E_glu", "b_E_glu"} & content.keys():
        raise refuse(name, "one with a gated linear encoder")
    hook_in, hook_out = settings.get("hook_point_in"), settings.get("hook_point_out")
    if hook_out not in (None, hook_in):
        raise refuse(name, "a transcoder")
    tensors, factors = _split(content.tensors())
    stated = str(settings.get("act_fn", "relu")).lower()
    thresholds = [key for key in tensors if key.endswith("log_jumprelu_threshold")]
    if stated not in ("relu", "topk", "jumprelu"):
        raise refuse(name, f"one with the activation {stated}")
    if (stated == "jumprelu") != bool(thresholds):
        raise SaecliError(
            f"{name} states the activation {stated} and "
            f"{'has' if thresholds else 'lacks'} thresholds",
            "check the file",
        )
    tensors = take(tensors, ("W_E", "b_E", "W_D", "b_D", *thresholds), name)
    return Source(
        format=NAME,
        W=tensors["W_E"],
        b=tensors["b_E"],
        D=tensors["W_D"],
        c=tensors["b_D"],
        subtracts=False,
        activation=stated,  # type: ignore[arg-type]
        k=_k(settings, name) if stated == "topk" else None,
        threshold=tensors[thresholds[0]].float().exp() if thresholds else None,
        ranks_by_norm=bool(settings.get("sparsity_include_decoder_norm", True)),
        scale=_scale(factors, str(hook_in), tensors["W_D"].shape[1], name),
        attachment=Attachment(layer_of_hook(str(hook_in)) if hook_in else None),
        details={"hook_point": hook_in},
    )


def _split(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights, and the mean norms of activations by hook."""
    weights = {key: value for key, value in tensors.items() if not key.startswith(_NORMS)}
    factors = {
        key.removeprefix(f"{_NORMS}."): value
        for key, value in tensors.items()
        if key.startswith(f"{_NORMS}.")
    }
    return weights, factors


def _k(settings: Mapping[str, Any], name: str) -> int:
    return number(settings, "top_k" if "top_k" in settings else "k", name)


def _scale(factors: Mapping[str, Tensor], hook: str, d_model: int, name: str) -> float:
    """Activations are brought to the norm √d_model by their mean norm over the training set."""
    if not factors:
        return 1.0
    if hook not in factors or len(factors) > 1:
        raise SaecliError(
            f"{name} holds mean norms of {len(factors)} hooks, and '{hook}' isn't the only one",
            "import a dictionary of one hook",
        )
    norm = float(torch.as_tensor(factors[hook]))
    if not norm > 0:
        raise SaecliError(f"{name} states a mean norm of {norm}", "get the file anew")
    return norm / math.sqrt(d_model)
