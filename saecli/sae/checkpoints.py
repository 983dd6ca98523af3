"""Dictionaries as safetensors files: tensors, and one JSON object in the header key `saecli`.

Tensors: `W_enc` (d_model, n_latents), `b_enc`, `W_dec` (n_latents, d_model), `b_dec`, `mean`,
`scale` (1,), and where the dictionary has them `threshold` and `select_scale` (n_latents,);
all float32. No pickle is read or written.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.sae.model import Activation, Dictionary, Identity
from saecli.sae.normalisation import is_known

FORMAT = 1
_HEADER_KEY = "saecli"
_OPTIONAL = ("threshold", "select_scale")
_SETTINGS = ("activation", "k", "topk_signed", "threshold_inclusive", "normalisation", "prefixes")
_NORM_TOLERANCE = 1e-4  # float32 rows are unit to about 1e-7; this lets half-precision hands in


def to_bytes(dictionary: Dictionary) -> bytes:
    """The checkpoint as bytes; equal dictionaries give equal bytes."""
    tensors = {
        name: value.detach().to("cpu", torch.float32).contiguous()
        for name, value in vars(dictionary).items()
        if isinstance(value, Tensor)
    }
    header = {"format": FORMAT} | {name: getattr(dictionary, name) for name in _SETTINGS}
    header["identity"] = asdict(dictionary.identity)
    data: bytes = save_tensors(tensors, metadata={_HEADER_KEY: json.dumps(header, sort_keys=True)})
    return data


def save(dictionary: Dictionary, path: Path) -> str:
    """Write the checkpoint whole or not at all and return its SHA-256, in hex.

    Raises:
        SaecliError: if the disk is full or the place can't be written.
    """
    data = to_bytes(dictionary)
    with write_whole(path) as file:
        file.write(data)
    return hashlib.sha256(data).hexdigest()


def load(source: Path | bytes) -> Dictionary:
    """Read a checkpoint, on the CPU, in float32.

    Raises:
        SaecliError: saying what is wrong with the file: not there, cut short, of another
            format, a tensor missing, unknown, of the wrong shape or not finite, decoder rows
            that aren't of unit norm.
    """
    if isinstance(source, bytes):
        return _read(source, "the checkpoint")
    try:
        return _read(source.read_bytes(), str(source))
    except OSError as error:
        raise SaecliError(
            f"{source} can't be read ({error.strerror})", "give the path of a checkpoint"
        ) from error


def _read(data: bytes, name: str) -> Dictionary:
    header = _header(data, name)
    try:
        tensors = load_tensors(data)
    except SafetensorError as error:
        raise _broken(f"{name} is cut short or damaged") from error
    try:
        identity = Identity(**header["identity"])
        identity = Identity(**(asdict(identity) | {"grid": tuple(identity.grid)}))
        settings: dict[str, Any] = {key: header[key] for key in _SETTINGS}
        prefixes = settings["prefixes"]
        settings["prefixes"] = None if prefixes is None else tuple(prefixes)
    except (KeyError, TypeError) as error:
        raise _broken(f"the header of {name} lacks or misstates a setting ({error})") from error
    _check_settings(settings, name)
    _check_tensors(tensors, settings, identity, name)
    return Dictionary(identity=identity, **tensors, **settings)


def _header(data: bytes, name: str) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise _broken(f"{name} is cut short or no safetensors file")
    try:
        outer = json.loads(data[8 : 8 + length])
        header = json.loads(outer["__metadata__"][_HEADER_KEY])
        version = header["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(f"{name} is no dictionary that saecli wrote") from error
    if version != FORMAT:
        raise SaecliError(
            f"{name} has checkpoint format {version}, and this saecli reads format {FORMAT}",
            "update saecli",
        )
    return cast(dict[str, Any], header)


def _check_settings(settings: dict[str, Any], name: str) -> None:
    activation, k = settings["activation"], settings["k"]
    if activation not in get_args(Activation):
        raise _broken(f"{name} has the unknown activation function '{activation}'")
    if not is_known(str(settings["normalisation"])):
        raise SaecliError(
            f"{name} normalises its input by the rule '{settings['normalisation']}', "
            "which this saecli doesn't know",
            "update saecli",
        )
    if activation == "topk" and (not isinstance(k, int) or k < 1):
        raise _broken(f"{name} is a topk dictionary with k = {k}")


def _check_tensors(
    tensors: dict[str, Tensor], settings: dict[str, Any], identity: Identity, name: str
) -> None:
    d_model = identity.d_model
    n_latents = tensors["b_enc"].numel() if "b_enc" in tensors else 0
    shapes = {
        "W_enc": (d_model, n_latents),
        "b_enc": (n_latents,),
        "W_dec": (n_latents, d_model),
        "b_dec": (d_model,),
        "mean": (d_model,),
        "scale": (1,),
    }
    optional = {key: (n_latents,) for key in _OPTIONAL if key in tensors}
    if settings["activation"] == "jumprelu":
        shapes["threshold"] = (n_latents,)
    expected = shapes | optional
    missing, extra = sorted(expected.keys() - tensors), sorted(tensors.keys() - expected)
    if missing or extra:
        found = f"lacks {missing[0]}" if missing else f"has the unknown tensor {extra[0]}"
        raise _broken(f"{name} {found}")
    for key, shape in expected.items():
        tensor = tensors[key]
        if tuple(tensor.shape) != shape or tensor.dtype != torch.float32:
            raise _broken(
                f"{key} in {name} is {_kind(tensor.dtype, tensor.shape)} "
                f"and should be {_kind(torch.float32, shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise _broken(f"{key} in {name} holds values that aren't finite")
    if settings["activation"] == "topk" and settings["k"] > n_latents:
        raise _broken(f"{name} keeps k = {settings['k']} of only {n_latents} latents")
    if float(tensors["scale"]) <= 0:
        raise _broken(f"the scale in {name} is {float(tensors['scale'])}, not positive")
    off = (torch.linalg.vector_norm(tensors["W_dec"], dim=1) - 1).abs()
    if off.numel() and float(off.max()) > _NORM_TOLERANCE:
        raise _broken(f"row {int(off.argmax())} of W_dec in {name} is not of unit norm")


def _kind(dtype: torch.dtype, shape: tuple[int, ...]) -> str:
    return f"{str(dtype).removeprefix('torch.')} {'×'.join(map(str, shape))}"


def _broken(problem: str) -> SaecliError:
    return SaecliError(problem, "train or export the dictionary again")
