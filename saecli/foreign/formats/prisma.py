"""ViT-Prisma 2, and what else pickles `{"cfg", "state_dict"}`: PatchSAE, ConceptScope, Hugo Fry's.

The settings are an object inside the pickle or `config.json` beside it; the object's fields are
read, its class never is. The encoder subtracts the decoder's bias.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from saecli.errors import SaecliError
from saecli.foreign.content import Content, fields, state_dict
from saecli.foreign.hooks import layer_of_hook, layer_of_place
from saecli.foreign.keys import number, refuse, take
from saecli.foreign.said import Said
from saecli.foreign.source import Attachment, Source
from saecli.sae.normalisation import AFFINE, NORM_RESCALE, layer_norm

NAME = "vit-prisma"
PATCHSAE = "patchsae"
TAKES: frozenset[str] = frozenset()
EPS = 1e-5  # of the layer_norm rule, in the library's code
_PLAIN = ("W_enc", "b_enc", "W_dec", "b_dec")
_GATES = ("b_gate", "b_mag", "r_mag")


def recognises(content: Content) -> bool:
    """Whether it is a pickle of settings and weights, in today's form or the first one."""
    saved = fields(content.root)
    return bool(_weights(saved)) and "W_enc" in _weights(saved)


def read(content: Content, said: Said) -> Source:
    """Read a dictionary of ViT-Prisma or of PatchSAE's line.

    Raises:
        SaecliError: if it is a transcoder, of the CLS token, or has an activation of its own.
    """
    name, saved = content.shown, fields(content.root)
    settings = _settings(content, saved)
    tensors = _weights(saved)
    if "block_layer" in settings:
        return _patchsae(tensors, settings, name)
    if settings.get("is_transcoder") or "b_dec_out" in tensors or "W_skip" in tensors:
        raise refuse(name, "a transcoder")
    if settings.get("cls_token_only"):
        raise refuse(name, "of the CLS token alone")
    if settings.get("hook_point_head_index") is not None:
        raise refuse(name, "of one attention head")
    kind, gated = _kind(settings, name), settings.get("architecture") == "gated"
    tensors = take(tensors, (*_PLAIN, *(_GATES if gated else ())), name)
    if gated and kind != "relu":
        raise refuse(name, f"a gated one with the activation {kind}")
    return Source(
        format=NAME,
        W=tensors["W_enc"],
        b=tensors["b_mag" if gated else "b_enc"],
        D=tensors["W_dec"],
        c=tensors["b_dec"],
        subtracts=True,
        activation="gated" if gated else kind,  # type: ignore[arg-type]
        k=_k(settings, name) if kind == "topk" else None,
        gate_bias=tensors.get("b_gate"),
        log_gain=tensors.get("r_mag"),
        normalisation=_normalisation(settings, name),
        attachment=_attachment(settings),
        details={
            key: settings.get(key)
            for key in ("model_name", "hook_point_layer", "layer_subtype", "image_size")
        },
        notes=_notes(settings),
    )


def _weights(saved: Mapping[str, Any]) -> dict[str, Tensor]:
    inner = saved.get("autoencoder")
    if inner is not None:
        saved = fields(inner)
    return state_dict(saved.get("state_dict"))


def _settings(content: Content, saved: Mapping[str, Any]) -> dict[str, Any]:
    """The file's own settings; those beside it are of the run and stand in where it has none."""
    own = fields(saved.get("cfg", saved.get("config")))
    return own or dict(content.config or {})


def _kind(settings: Mapping[str, Any], name: str) -> str:
    stated = settings.get("activation_fn_str", "relu")
    if stated not in ("relu", "topk"):
        raise refuse(name, f"one with the activation {stated}")
    architecture = settings.get("architecture", "standard")
    if architecture not in ("standard", "gated"):
        raise refuse(name, f"a {architecture}")
    return str(stated)


def _k(settings: Mapping[str, Any], name: str) -> int:
    kwargs = settings.get("activation_fn_kwargs")
    return number(kwargs if isinstance(kwargs, Mapping) else {}, "k", name)


def _normalisation(settings: Mapping[str, Any], name: str) -> str:
    stated = settings.get("normalize_activations", "layer_norm")  # the library's default
    if stated in (None, "none"):
        return AFFINE
    if stated == "layer_norm":
        return layer_norm(EPS)
    if stated == "constant_norm_rescale":
        return NORM_RESCALE
    raise refuse(name, f"normalised by '{stated}'")


def _attachment(settings: Mapping[str, Any]) -> Attachment:
    layer, model = settings.get("hook_point_layer"), settings.get("model_name")
    named = str(model) if model else None
    if isinstance(layer, int):
        place = str(settings.get("layer_subtype") or "hook_resid_post")
        return Attachment(layer_of_place(layer, place, f"blocks.{layer}.{place}"), named)
    hook = settings.get("hook_point")
    return Attachment(layer_of_hook(hook) if isinstance(hook, str) else None, named)


def _notes(settings: Mapping[str, Any]) -> tuple[str, ...]:
    if settings.get("use_patches_only") is False:
        return ("it was trained on the CLS token, too; saecli reads patches only",)
    return ()


def _patchsae(tensors: dict[str, Tensor], settings: Mapping[str, Any], name: str) -> Source:
    if set(_GATES) & set(tensors):
        raise refuse(name, "a gated one of PatchSAE, whose forward pass is empty")
    if settings.get("class_token") is True:
        raise refuse(name, "of the CLS token alone")
    place = settings.get("module_name", "resid")
    if place != "resid":
        raise SaecliError(
            f"{name} was trained on '{place}', and saecli reads outputs of whole blocks",
            "import one that was trained on the residual stream",
        )
    tensors = take(tensors, _PLAIN, name)
    layer = settings["block_layer"]
    return Source(
        format=PATCHSAE,
        W=tensors["W_enc"],
        b=tensors["b_enc"],
        D=tensors["W_dec"],
        c=tensors["b_dec"],
        subtracts=True,
        activation="relu",
        attachment=Attachment(layer if isinstance(layer, int) else None),
        details={"block_layer": layer, "model_name": settings.get("model_name")},
    )
