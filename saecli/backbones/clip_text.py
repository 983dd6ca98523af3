"""CLIP's tokenizers: the model's own, wherever the program was started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor

from saecli.backbones.clip_sources import ClipSource
from saecli.backbones.folders import first_detail
from saecli.backbones.silence import quiet
from saecli.errors import SaecliError

_LOCAL = "local-dir:"


def open_tokenizer(found: ClipSource) -> Callable[[], Any]:
    """A function that loads the model's tokenizer at its first call and keeps it.

    A local folder's own files are used: the `tokenizer.json` that open_clip reads where the
    configuration has an `hf_tokenizer_name`, and a relative `bpe_path`, which open_clip would look
    for in the working directory.
    """

    @cache
    def open_once() -> Any:
        import open_clip

        try:
            with quiet():
                return open_clip.get_tokenizer(found.tokenizer, **_own_files(found))
        except Exception as error:  # transformers and open_clip raise all kinds here
            raise SaecliError(
                f"the tokenizer of '{found.source}' can't be loaded ({first_detail(error)})",
                "put the model's tokenizer.json into its folder and name it in the configuration's "
                "text_cfg.hf_tokenizer_name",
            ) from error

    return open_once


def tokenize(tokenizer: Any, texts: Sequence[str], vocabulary: int, source: str) -> Tensor:
    """Token numbers (N, context), int64.

    Raises:
        SaecliError: if there is no text, or the tokenizer has more words than the model, which
            means that it isn't the model's own.
    """
    if not texts:
        raise SaecliError("there is no text to encode", "give at least one", usage=True)
    tokens: Tensor = tokenizer(list(texts))
    if vocabulary and int(tokens.max()) >= vocabulary:
        raise SaecliError(
            f"the tokenizer found for '{source}' isn't its own: it gives word "
            f"{int(tokens.max())} of a vocabulary of {vocabulary}",
            "put the model's tokenizer.json into its folder and name it in the configuration's "
            "text_cfg.hf_tokenizer_name",
        )
    return tokens


def _own_files(found: ClipSource) -> dict[str, str]:
    if not found.tokenizer.startswith(_LOCAL):
        return {}
    named = (found.config.get("text_cfg", {}).get("tokenizer_kwargs") or {}).get("bpe_path")
    own = Path(found.tokenizer.removeprefix(_LOCAL)) / named if named else None
    return {"bpe_path": str(own)} if own and own.is_file() else {}
