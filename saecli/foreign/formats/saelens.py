"""SAELens 3 to 6: `cfg.json` beside `sae_weights.safetensors`.

Before 6.0 the settings were flat and some had other names. Final saves have their normalisation
folded into the weights; where the settings still name one, its numbers lie in files beside.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from saecli.errors import SaecliError
from saecli.foreign.content import Content, read_json
from saecli.foreign.hooks import layer_of_hook
from saecli.foreign.keys import number, refuse, take
from saecli.foreign.said import Said
from saecli.foreign.source import Attachment, Source
from saecli.sae.normalisation import AFFINE, NORM_RESCALE, layer_norm

NAME = "saelens"
TAKES: frozenset[str] = frozenset()
SCALER = "activation_scaler.json"
WHITENING = "activation_whitening.safetensors"
EPS = 1e-5  # of the layer_norm rule, in the library's code
_OLD = {"hook_point": "hook_name", "activation_fn_str": "activation_fn"}
_TRAINING = ("batchtopk", "matryoshka_batchtopk")
_GATED = ("W_enc", "b_gate", "b_mag", "r_mag", "W_dec", "b_dec")
_PLAIN = ("W_enc", "b_enc", "W_dec", "b_dec")


def recognises(content: Content) -> bool:
    """Whether there are settings and weights as SAELens names them."""
    settings = content.config or {}
    return (
        content.config_name == "cfg.json"
        and "d_sae" in settings
        and content.path.name.endswith(".safetensors")
        and {"W_enc", "W_dec"} <= content.keys()
    )


def read(content: Content, said: Said) -> Source:
    """Read a final save, or one of the middle of a run where its numbers lie beside it.

    Raises:
        SaecliError: if it is another kind of coder, or its normalisation's numbers are missing.
    """
    name, settings = content.shown, _settings(content.config or {})
    architecture = str(settings["architecture"])
    tensors = _without_ones(content.tensors(), name)
    if str(settings.get("reshape_activations", "none")) != "none":
        raise refuse(name, "trained on attention heads (reshape_activations)")
    attachment = _attachment(settings)
    n_latents = tensors["W_dec"].shape[0]
    more: dict[str, Any] = {}
    if architecture == "gated":
        tensors = take(tensors, _GATED, name)
        more = {"gate_bias": tensors["b_gate"], "log_gain": tensors["r_mag"]}
        tensors["b_enc"] = tensors["b_mag"]
    elif architecture in ("standard", "topk"):
        _check_relu(settings, architecture, name)
        tensors = take(tensors, _PLAIN, name)
    elif architecture == "jumprelu":
        tensors = take(tensors, (*_PLAIN, "threshold"), name)
        more = {"threshold": tensors["threshold"]}
    elif architecture in _TRAINING:
        tensors = take(tensors, (*_PLAIN, "topk_threshold"), name)
        theta = tensors["topk_threshold"].float().reshape(-1).expand(n_latents).clone()
        more = {"threshold": theta}
    else:
        raise refuse(name, f"a {architecture}")
    kind = {"standard": "relu", "topk": "topk", "gated": "gated"}.get(architecture, "jumprelu")
    if kind == "topk":
        more["k"] = number(settings, "k", name)
    by_norm = False
    if architecture in ("topk", *_TRAINING):
        by_norm = bool(settings.get("rescale_acts_by_decoder_norm", architecture in _TRAINING))
        more |= {"ranks_by_norm": by_norm, "reports_by_norm": by_norm}
    normalised = _normalisation(settings, content.path.parent, tensors, by_norm, name)
    return Source(
        format=NAME,
        W=normalised.pop("W", tensors["W_enc"]),
        b=tensors["b_enc"],
        D=normalised.pop("D", tensors["W_dec"]),
        c=normalised.pop("c", tensors["b_dec"]),
        subtracts=bool(settings.get("apply_b_dec_to_input", True)),
        activation=kind,  # type: ignore[arg-type]
        attachment=attachment,
        details={
            "architecture": architecture,
            "hook_name": settings.get("hook_name"),
            "version": settings.get("sae_lens_version"),
        },
        prefixes=_prefixes(settings, n_latents),
        **more,
        **normalised,
    )


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of any version in the words of 6.0, with the metadata's among them."""
    inner = config.get("metadata")
    told = dict(inner) if isinstance(inner, Mapping) else {}
    told |= {key: value for key, value in config.items() if key != "metadata"}
    settings: dict[str, Any] = {_OLD.get(str(key), str(key)): told[key] for key in told}
    kwargs = settings.get("activation_fn_kwargs") or {}
    if settings.get("activation_fn") == "topk" and isinstance(kwargs, Mapping) and "k" in kwargs:
        settings |= {"architecture": "topk", "k": kwargs["k"]}
    settings.setdefault("architecture", "standard")
    stated = settings.get("normalize_activations")
    if isinstance(stated, bool) or stated is None:
        settings["normalize_activations"] = "expected_average_only_in" if stated else "none"
    return settings


def _check_relu(settings: Mapping[str, Any], architecture: str, name: str) -> None:
    stated = settings.get("activation_fn", "relu")
    if architecture == "standard" and stated not in ("relu", None):
        raise refuse(name, f"one with the activation {stated}")


def _without_ones(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Without the fine-tuning's factors, where they do nothing."""
    factors = tensors.pop("scaling_factor", None)
    if factors is not None and not torch.equal(factors, torch.ones_like(factors)):
        raise refuse(name, "fine-tuned with a factor on each latent (scaling_factor)")
    return tensors


def _attachment(settings: Mapping[str, Any]) -> Attachment:
    hook = str(settings.get("hook_name") or "")
    model = settings.get("model_name")
    if settings.get("hook_head_index") is not None:
        raise refuse(f"the dictionary of {hook}", "of one attention head")
    return Attachment(layer_of_hook(hook), None if model is None else str(model))


def _prefixes(settings: Mapping[str, Any], n_latents: int) -> tuple[int, ...] | None:
    details = settings.get("training_architecture_details")
    widths = settings.get("matryoshka_widths")
    if widths is None and isinstance(details, Mapping):
        widths = details.get("matryoshka_widths")
    if not isinstance(widths, list) or not all(isinstance(width, int) for width in widths):
        return None
    return tuple(sorted({*(width for width in widths if 0 < width < n_latents), n_latents}))


def _normalisation(
    settings: Mapping[str, Any],
    folder: Path,
    tensors: Mapping[str, Tensor],
    by_norm: bool,
    name: str,
) -> dict[str, Any]:
    stated = settings["normalize_activations"]
    if stated == "none":
        return {"normalisation": AFFINE}
    if stated == "layer_norm":
        return {"normalisation": layer_norm(EPS)}
    if stated == "constant_norm_rescale":
        return {"normalisation": NORM_RESCALE}
    if stated == "expected_average_only_in":
        if not (folder / SCALER).is_file():
            raise _unfolded(name, stated, SCALER)
        factor = read_json(folder / SCALER).get("scaling_factor")
        if factor is None:
            return {"normalisation": AFFINE}
        if not isinstance(factor, int | float) or not factor > 0:
            raise SaecliError(f"{folder / SCALER} states a factor of {factor}", "get it anew")
        return {"normalisation": AFFINE, "scale": 1 / float(factor)}
    if stated == "covariance_whitening":
        if not (folder / WHITENING).is_file():
            raise _unfolded(name, stated, WHITENING)
        white = take(load_file(folder / WHITENING), ("mean", "matrix", "inverse_matrix"), WHITENING)
        matrix, inverse = white["matrix"].double(), white["inverse_matrix"].double()
        if by_norm:
            raise refuse(name, "whitened and ranked by norms that the whitening changes")
        # z = (x − mean) M: M goes into the encoder, M⁻¹ into the decoder and its bias.
        return {
            "normalisation": AFFINE,
            "mean": white["mean"].float(),
            "W": (matrix @ tensors["W_enc"].double()).float(),
            "D": (tensors["W_dec"].double() @ inverse).float(),
            "c": (tensors["b_dec"].double() @ inverse).float(),
        }
    raise refuse(name, f"normalised by '{stated}'")


def _unfolded(name: str, stated: str, file: str) -> SaecliError:
    return SaecliError(
        f"{name} was trained on activations normalised by '{stated}', whose numbers are not in it",
        f"put the run's {file} beside it, or import the run's final save",
    )
