"""Folders and hub names of transformers' vision models: found, read whole, or drawn at random."""

from pathlib import Path
from typing import Any

import torch

from saecli.backbones.dinov2_transform import PREPROCESSOR
from saecli.backbones.folders import unusable
from saecli.backbones.hub import snapshot
from saecli.backbones.silence import quiet
from saecli.errors import SaecliError

WEIGHTS = ("model*.safetensors*", "pytorch_model*.bin*")  # with the index of sharded ones
MASK_TOKEN = "embeddings.mask_token"  # for pretraining; the forward pass doesn't read it
_HEAD = "classifier."  # of a fine-tuned classifier; a backbone is used without it


def find(source: str, folder_form: str, *, weights: bool) -> tuple[Path, str]:
    """The folder that holds the files, and what people call it.

    Args:
        source: a folder or a hub name.
        folder_form: how a local folder is named, as in `dinov2:FOLDER`.
        weights: whether the weights are wanted, too.

    Raises:
        SaecliError: if it can't be found or reached.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder.resolve(), str(folder.resolve())
    files = snapshot(
        source,
        config="config.json",
        weights=WEIGHTS if weights else (),
        extras=(PREPROCESSOR,),
        shown=source,
        folder_form=folder_form,
    )
    return files, source


def read_model(model_class: Any, folder: Path, shown: str) -> Any:
    """A model in float32, every weight found and every weight of the file used.

    Raises:
        SaecliError: if its files don't fit together.
    """
    try:
        with quiet():
            model, info = model_class.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                weights_only=True,
            )
    except Exception as error:  # transformers and safetensors raise all kinds here
        raise unusable(shown, error) from error
    missing = sorted(set(info["missing_keys"]) - {MASK_TOKEN})
    unused = sorted(key for key in info["unexpected_keys"] if not key.startswith(_HEAD))
    for keys, words in ((missing, "lack"), (unused, "hold more than its configuration needs:")):
        if keys:
            rest = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise SaecliError(
                f"the weights of '{shown}' {words} {keys[0]}{rest}",
                "check that its configuration and weights belong together and are whole",
            )
    return model


def untrained_model(model_class: Any, folder: Path, shown: str, seed: int) -> Any:
    """The same model with transformers' own initialisation under a seed.

    Raises:
        SaecliError: if no model can be built from its configuration.
    """
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            settings = model_class.config_class.from_pretrained(folder, local_files_only=True)
            settings.dtype = torch.float32
            return model_class(settings)
    except Exception as error:  # a configuration that no model can be built from
        raise unusable(shown, error) from error
