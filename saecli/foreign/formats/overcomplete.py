"""Overcomplete 0.3: what its users `torch.save`, a state dict or the whole module.

There is no decoder bias. The state dict states neither the activation, k, nor how the dictionary is
normalised, and keeps no threshold of batchtopk: a whole module does, else the user says.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from saecli.errors import SaecliError, one_of
from saecli.foreign.content import Content
from saecli.foreign.keys import refuse, take
from saecli.foreign.pickles import Inert
from saecli.foreign.said import NORMALISATION, Said
from saecli.foreign.source import Source

NAME = "overcomplete"
TAKES = NORMALISATION | {"activation", "k", "threshold", "decoder_norm"}
ACTIVATIONS = ("relu", "topk", "batchtopk", "jumprelu")
_CLASSES = {
    "SAE": "relu",
    "TopKSAE": "topk",
    "RATopKSAE": "topk",
    "BatchTopKSAE": "batchtopk",
    "JumpSAE": "jumprelu",
    "RAJumpSAE": "jumprelu",
}
_BLOCK = "encoder.final_block"
_NORM = tuple(f"{_BLOCK}.1.{part}" for part in ("weight", "bias", "running_mean", "running_var"))
_EPS = 1e-5  # of torch's batch normalisation


def _l2(rows: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / (norms + 1e-8)


def _max_l2(rows: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return rows / norms.max()


def _l1(rows: Tensor) -> Tensor:
    return rows / (rows.abs().sum(dim=1, keepdim=True) + 1e-8)


def _max_l1(rows: Tensor) -> Tensor:
    return rows / rows.abs().sum(dim=1).max()


DECODER_NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "l2": _l2,
    "max_l2": _max_l2,
    "l1": _l1,
    "max_l1": _max_l1,
    "identity": lambda rows: rows,
}
"""How `DictionaryLayer` normalises; l2 is its default."""


def recognises(content: Content) -> bool:
    """Whether the tensors are a dictionary layer's."""
    keys = content.keys()
    return bool({"dictionary._weights", "dictionary.Relax"} & keys)


def read(content: Content, said: Said) -> Source:
    """Read a linear encoder and its dictionary.

    Raises:
        SaecliError: if the encoder is deeper, or the file leaves open what wasn't said.
    """
    name, tensors = content.shown, content.tensors()
    module = content.root if isinstance(content.root, Inert) else None
    activation = _activation(tensors, module, said, name)
    used: set[str] = {"dictionary.multiplier"}
    D, norm, notes = _dictionary(tensors, module, said, used)
    W, b = _encoder(tensors, D, used, name)
    if activation == "jumprelu":
        used.add("thresholds")
    take(tensors, used, name, optional=(f"{_BLOCK}.1.num_batches_tracked",))
    n_latents = len(D)
    more: dict[str, Any] = {}
    if activation == "topk":
        more["k"] = _k(module, said, name)
    elif activation == "batchtopk":
        theta = _threshold(module, said, name)
        more |= {"threshold": torch.full((n_latents,), theta), "inclusive": True}
    elif activation == "jumprelu":
        more |= {"threshold": tensors["thresholds"].float().exp(), "inclusive": True}
    return Source(
        format=NAME,
        W=W,
        b=b,
        D=D,
        c=torch.zeros(D.shape[1]),
        subtracts=False,
        activation="jumprelu" if activation == "batchtopk" else activation,  # type: ignore[arg-type]
        details={"class": type(module).__name__ if module else None, "decoder_norm": norm},
        notes=notes,
        **more,
    )


def _activation(tensors: Mapping[str, Tensor], module: Inert | None, said: Said, name: str) -> str:
    stated = "jumprelu" if "thresholds" in tensors else None
    if module is not None:
        kind = type(module).__name__
        if kind not in _CLASSES:
            raise refuse(name, f"a {kind}")
        stated = _CLASSES[kind]
    if said.activation is not None:
        if stated not in (None, said.activation):
            raise SaecliError(
                f"{name} is a {stated} dictionary, not {said.activation}",
                "leave --activation out",
                usage=True,
            )
        return said.activation
    if stated is None and said.k is not None:
        return "topk"
    if stated is None:
        raise SaecliError(
            f"{name} doesn't state its activation",
            "say --activation relu, --activation topk --k N, or --activation batchtopk "
            "--threshold X",
        )
    return stated


def _dictionary(
    tensors: Mapping[str, Tensor], module: Inert | None, said: Said, used: set[str]
) -> tuple[Tensor, str, tuple[str, ...]]:
    """The rows as they decode, how they were normalised, and what was assumed."""
    gain = tensors.get("dictionary.multiplier", torch.zeros(())).double().exp()
    if "dictionary._weights" in tensors:
        used.add("dictionary._weights")
        norm, notes = said.decoder_norm or _stated_norm(module), list[str]()
        if norm is None:
            norm = "l2"
            notes.append("its dictionary is taken as l2-normalised, Overcomplete's default")
        rows = DECODER_NORMS[norm](tensors["dictionary._weights"].double())
        return (rows * gain).float(), norm, tuple(notes)
    used |= {f"dictionary.{part}" for part in ("C", "W", "Relax")}
    W, C, relax = (tensors[f"dictionary.{part}"].double() for part in ("W", "C", "Relax"))
    W = W.relu()
    W = W / (W.sum(dim=-1, keepdim=True) + 1e-8)
    return ((W @ C + relax) * gain).float(), "archetypal", ()


def _stated_norm(module: Inert | None) -> str | None:
    """The normalisation that a whole module's dictionary layer refers to."""
    layers = vars(module).get("_modules") if module is not None else None
    layer = layers.get("dictionary") if isinstance(layers, Mapping) else None
    function = getattr(layer, "normalization", None)
    found = str(getattr(function, "__name__", "")).removeprefix("normalize_")
    return found if found in DECODER_NORMS else None


def _encoder(
    tensors: Mapping[str, Tensor], D: Tensor, used: set[str], name: str
) -> tuple[Tensor, Tensor]:
    """W (d_model, n_latents) and b, batch normalisation folded in."""
    if f"{_BLOCK}.0.weight" not in tensors:  # tied to the dictionary, or untied without a block
        weight = tensors.get("encoder.weight")
        used |= {key for key in ("encoder.weight", "encoder.bias") if key in tensors}
        used |= {key for key in tensors if key.startswith("encoder.tied_to.")}
        bias = tensors.get("encoder.bias", torch.zeros(len(D)))
        return (D if weight is None else weight).T, bias
    deeper = sorted(
        key for key in tensors if key.startswith("encoder.") and not key.startswith(f"{_BLOCK}.")
    )
    if deeper:
        raise refuse(name, f"one with a deeper encoder ({deeper[0]})")
    used |= {f"{_BLOCK}.0.weight", f"{_BLOCK}.0.bias"}
    W, b = tensors[f"{_BLOCK}.0.weight"].double(), tensors[f"{_BLOCK}.0.bias"].double()
    found = [key for key in _NORM if key in tensors]
    if found and len(found) < len(_NORM):
        raise refuse(name, "one whose encoder normalises each patch")
    if found:
        used |= set(_NORM)
        weight, bias, mean, variance = (tensors[key].double() for key in _NORM)
        g = weight / (variance + _EPS).sqrt()
        W, b = W * g[:, None], (b - mean) * g + bias
    return W.T.float(), b.float()


def _k(module: Inert | None, said: Said, name: str) -> int:
    stated = vars(module).get("top_k") if module is not None else None
    k = said.k if said.k is not None else stated
    if not isinstance(k, int):
        raise SaecliError(f"{name} doesn't state its k", "say --k N")
    return k


def _threshold(module: Inert | None, said: Said, name: str) -> float:
    stated = vars(module).get("running_threshold") if module is not None else None
    if isinstance(stated, Tensor) and stated.numel() == 1:
        stated = stated.item()
    theta = said.threshold if said.threshold is not None else stated
    if not isinstance(theta, int | float):
        raise SaecliError(
            f"{name} doesn't keep batchtopk's running threshold, which its class has in memory "
            f"only (activations: {one_of(ACTIVATIONS)})",
            "say --threshold X (model.running_threshold)",
        )
    return float(theta)
