"""What `clip:…` names: an open_clip folder, a hub model, or an architecture and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saecli.backbones.folders import check_weights, read_config
from saecli.backbones.hub import snapshot
from saecli.backbones.silence import quiet
from saecli.errors import SaecliError, one_of

HUB = "hf-hub:"
FOLDER_FORM = "clip:FOLDER"
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_FOLDER_WEIGHTS = ("*.safetensors", "*.bin", "*.pth")


@dataclass(frozen=True)
class ClipSource:
    """How open_clip is to build one model.

    Args:
        source: the folder or name, for people.
        architecture: open_clip's model name (`local-dir:…` for folders).
        tokenizer: open_clip's name to take the tokenizer from.
        config: the model configuration (`vision_cfg`, `text_cfg`, …) as it will be built.
        weights: the weights' file for a named architecture, else None.
        trained: whether weights are to be loaded.
        quick_gelu: whether to switch QuickGELU on beyond what the configuration says.
        preprocess: preprocessing that comes with the weights.
    """

    source: str
    architecture: str
    tokenizer: str
    config: Mapping[str, Any]
    weights: Path | None
    trained: bool
    quick_gelu: bool
    preprocess: Mapping[str, Any]


def find(source: str, *, weights: bool) -> ClipSource:
    """Locate a model; hub files are downloaded unless they are cached.

    Raises:
        SaecliError: if it can't be found or reached, or isn't supported; see ``clip.load``.
    """
    folder = Path(source).expanduser()
    if source.startswith(HUB):
        repo = source.removeprefix(HUB)
        files = snapshot(
            repo,
            config="open_clip_config.json",
            weights=_WEIGHTS if weights else (),
            shown=source,
            folder_form=FOLDER_FORM,
        )
        return _folder(files, source, weights=weights)
    if folder.is_dir():
        folder = folder.resolve()
        return _folder(folder, str(folder), weights=weights)
    return _named(source, weights=weights)


def _folder(folder: Path, source: str, *, weights: bool) -> ClipSource:
    config = read_config(folder, "clip").get("model_cfg")
    if not isinstance(config, dict):
        raise SaecliError(
            f"{folder / 'open_clip_config.json'} has no model_cfg",
            "restore it from where the model came from",
        )
    _check_supported(config, source)
    if weights:
        check_weights(folder, _FOLDER_WEIGHTS)
    # A hub model may take its tokenizer from another repository, which open_clip then looks up.
    elsewhere = source.startswith(HUB) and config.get("text_cfg", {}).get("hf_tokenizer_name")
    return ClipSource(
        source=source,
        architecture=f"local-dir:{folder}",
        tokenizer=source if elsewhere else f"local-dir:{folder}",
        config=config,
        weights=None,
        trained=weights,
        quick_gelu=False,
        preprocess={},
    )


def _named(source: str, *, weights: bool) -> ClipSource:
    with quiet():
        import open_clip

    name, slash, tag = source.rpartition("/")
    architecture = name.replace("/", "-")
    config = open_clip.get_model_config(architecture) if slash else None
    if config is None:
        known = [
            known
            for known in open_clip.list_models()
            if _unsupported(open_clip.get_model_config(known)) is None
        ]
        raise SaecliError(
            f"'{source}' is neither a folder nor an architecture and weights of open_clip",
            "give a folder, or ARCH/PRETRAINED as in ViT-B-16/openai, with ARCH one of "
            + one_of(known, architecture or source),
        )
    _check_supported(config, source)
    entry = open_clip.get_pretrained_cfg(architecture, tag)
    if not entry:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise SaecliError(
            f"open_clip has no weights '{tag}' for {architecture}",
            f"give one of {one_of(tags, tag)}" if tags else "give a local folder as clip:FOLDER",
        )
    wants_quick_gelu = bool(entry.get("quick_gelu"))
    if config.get("quick_gelu") and not wants_quick_gelu:
        raise SaecliError(
            f"{architecture} computes QuickGELU and its weights '{tag}' were trained without it",
            "name the architecture without QuickGELU, or other weights",
        )
    config["quick_gelu"] = wants_quick_gelu
    return ClipSource(
        source=source,
        architecture=architecture,
        tokenizer=architecture,
        config=config,
        weights=_download(entry, source) if weights else None,
        trained=weights,
        quick_gelu=wants_quick_gelu,
        preprocess=entry,
    )


def _download(entry: Mapping[str, Any], source: str) -> Path:
    """The file of a pretrained tag; open_clip keeps a copy of each on the hub."""
    if "file" in entry:
        return Path(entry["file"])
    repo, _, file = entry["hf_hub"].rpartition("/")
    patterns = (f"{Path(file).stem}.safetensors", file) if file else _WEIGHTS
    folder = snapshot(repo, config=None, weights=patterns, shown=source, folder_form=FOLDER_FORM)
    return next(folder / name for name in patterns if (folder / name).is_file())


def _check_supported(config: Mapping[str, Any], source: str) -> None:
    if not isinstance(config.get("vision_cfg"), dict):
        raise SaecliError(
            f"the configuration of '{source}' describes no vision tower",
            "restore it from where the model came from",
        )
    kind = _unsupported(config)
    if kind is not None:
        raise SaecliError(
            f"the vision tower of '{source}' has {kind}, which saecli can't record",
            "use a CLIP with open_clip's own vision transformer, such as ViT-B-16",
        )


def _unsupported(config: Mapping[str, Any]) -> str | None:
    """What a model has instead of a residual stream of patches and one pooled embedding."""
    vision = config["vision_cfg"]
    if vision.get("timm_model_name"):
        return f"the timm tower {vision['timm_model_name']}"
    if isinstance(vision.get("layers"), list | tuple):
        return "a ResNet"
    if vision.get("attentional_pool"):
        return "attentional pooling"
    if vision.get("pool_type", "tok") not in ("tok", "avg"):
        return f"the pooling '{vision['pool_type']}'"
    return None
