"""What lies at a path: a weights file's tensors and values, and the settings beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from saecli.errors import SaecliError, one_of
from saecli.foreign.pickles import (
    Inert,
    is_archive,
    read_archive,
    read_gzipped,
    read_pickle,
)

WEIGHTS = (".safetensors", ".pt", ".pth", ".pkl", ".pkl.gz", ".ckpt", ".bin")
CONFIGS = ("cfg.json", "config.json")
_BESIDE = (
    "sparsity.safetensors",
    "activation_whitening.safetensors",
    "trainer_state.pt",
    "state.pt",
)  # what projects write beside the weights
_BESIDE_STARTS = ("optimizer_", "lr_scheduler_", "rank_")
_BESIDE_ENDS = ("_log_feature_sparsity.pt",)
_MOST_JSON = 2**24
_GET_ANEW = "get the file anew"


@dataclass(frozen=True)
class Content:
    """A weights file and what stands beside it.

    Attributes:
        path: the weights file.
        root: what it holds: for safetensors the tensors by name, else whatever was saved.
        header: the JSON object that the file begins with, as saev writes it, or None.
        metadata: of a safetensors file.
        config: the settings beside it, or None.
        config_name: their file's name.
    """

    path: Path
    root: Any
    header: dict[str, Any] | None
    metadata: dict[str, str]
    config: dict[str, Any] | None
    config_name: str

    @property
    def shown(self) -> str:
        return str(self.path)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by name: of a state dict, or of a whole module that was saved."""
        return state_dict(self.root)

    def keys(self) -> set[str]:
        """The names of the tensors."""
        return set(self.tensors())


def state_dict(root: Any) -> dict[str, Tensor]:
    """Tensors by name, of a mapping of them or of a saved module; empty of anything else."""
    if isinstance(root, Mapping):
        return {
            str(name): value.detach() for name, value in root.items() if isinstance(value, Tensor)
        }
    if isinstance(root, Inert):
        return dict(_of_module(root, "", 0))
    return {}


def fields(root: Any) -> dict[str, Any]:
    """The settings in a mapping or in a configuration object that was saved."""
    if isinstance(root, Mapping):
        return {str(name): value for name, value in root.items()}
    return dict(vars(root)) if isinstance(root, Inert) else {}


def open_content(path: Path) -> Content:
    """Read what a path names: a weights file, or a folder with one.

    Raises:
        SaecliError: if there is none or more than one, or it can't be read.
    """
    weights = _weights_file(path)
    config_name, config = _config(weights.parent)
    try:
        if weights.stat().st_size == 0:
            raise SaecliError(f"{weights} is empty", _GET_ANEW)
        if weights.name.endswith(".safetensors"):
            root, metadata = _safetensors(weights)
            header = None
        else:
            (root, header), metadata = _torch_file(weights), {}
    except OSError as error:
        raise SaecliError(
            f"{weights} can't be read ({error.strerror or error})", "check that you may read it"
        ) from error
    return Content(weights, root, header, metadata, config, config_name)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a file.

    Raises:
        SaecliError: if it is none.
    """
    try:
        if path.stat().st_size > _MOST_JSON:
            raise SaecliError(f"{path} is too large for settings", "check that it is the right one")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise SaecliError(
            f"{path} can't be read ({error.strerror or error})", "check that you may read it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SaecliError(f"{path} is cut short or no JSON", _GET_ANEW) from error
    if not isinstance(found, dict):
        raise SaecliError(f"{path} holds no JSON object", _GET_ANEW)
    return found


def _weights_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise SaecliError(f"there is no file or folder '{path}'", "check the path")
    found = sorted(one for one in path.iterdir() if one.is_file() and _is_weights(one.name))
    if len(found) == 1:
        return found[0]
    if found:
        raise SaecliError(
            f"'{path}' holds {len(found)} files of weights",
            f"name one of {one_of((one.name for one in found), most=12)}",
        )
    below = sorted(
        one.name
        for one in path.iterdir()
        if one.is_dir() and any(_is_weights(file.name) for file in one.iterdir())
    )
    if below:
        raise SaecliError(
            f"'{path}' holds dictionaries in {len(below)} folders",
            f"name one of {one_of(below, most=12)}",
        )
    raise SaecliError(
        f"'{path}' holds no weights", f"name a file that ends in {one_of(WEIGHTS, most=9)}"
    )


def _is_weights(name: str) -> bool:
    return (
        name.endswith(WEIGHTS)
        and name not in _BESIDE
        and not name.startswith(_BESIDE_STARTS)
        and not name.endswith(_BESIDE_ENDS)
    )


def _config(folder: Path) -> tuple[str, dict[str, Any] | None]:
    for name in CONFIGS:
        if (folder / name).is_file():
            return name, read_json(folder / name)
    return CONFIGS[0], None


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except SafetensorError as error:
        raise SaecliError(f"{path} is cut short, damaged or no safetensors file", _GET_ANEW) from (
            error
        )


def _torch_file(path: Path) -> tuple[Any, dict[str, Any] | None]:
    if path.name.endswith(".gz"):
        return read_gzipped(path), None
    if is_archive(path):
        return read_archive(path, str(path)), None
    with path.open("rb") as file:
        first = file.read(1)
        if first == b"{":  # saev: a line of JSON, then an archive
            file.seek(0)
            line = file.readline(_MOST_JSON)
            rest = file.read()
            try:
                header = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise SaecliError(f"{path} begins with a broken line of JSON", _GET_ANEW) from error
            return read_archive(rest, str(path)), header
    return read_pickle(path), None


def _of_module(module: Inert, prefix: str, depth: int) -> list[tuple[str, Tensor]]:
    """Parameters and buffers of a module that was saved whole, named as its state dict's."""
    if depth > 16:
        return []
    found: list[tuple[str, Tensor]] = []
    state = vars(module)
    for kind in ("_parameters", "_buffers"):
        held = state.get(kind)
        if isinstance(held, Mapping):
            found += [
                (f"{prefix}{name}", value)
                for name, value in held.items()
                if isinstance(value, Tensor)
            ]
    below = state.get("_modules")
    if isinstance(below, Mapping):
        for name, value in below.items():
            if isinstance(value, Inert):
                found += _of_module(value, f"{prefix}{name}.", depth + 1)
    return found
