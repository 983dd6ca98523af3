"""sparsify (EleutherAI) 1: `cfg.json` beside `sae.safetensors`, in a folder named after the module.

The encoder subtracts the decoder's bias. Read here from the tensors themselves: other loaders of
these files transpose the decoder.
"""

from typing import Any

from saecli.foreign.content import Content, read_json
from saecli.foreign.hooks import layer_of_module
from saecli.foreign.keys import number, refuse, take
from saecli.foreign.said import Said
from saecli.foreign.source import Attachment, Source

NAME = "sparsify"
TAKES: frozenset[str] = frozenset()


def recognises(content: Content) -> bool:
    """Whether there are settings and weights as sparsify names them."""
    return content.config_name == "cfg.json" and "expansion_factor" in (content.config or {})


def read(content: Content, said: Said) -> Source:
    """Read a folder of one hookpoint.

    Raises:
        SaecliError: if it is a transcoder, has a skip connection, or selects by groups.
    """
    name, settings = content.shown, content.config or {}
    if settings.get("transcode"):
        raise refuse(name, "a transcoder")
    if settings.get("skip_connection") or "W_skip" in content.keys():  # noqa: SIM118
        raise refuse(name, "one with a skip connection")
    if settings.get("activation", "topk") != "topk":
        raise refuse(name, f"one with the activation {settings.get('activation')}")
    tensors = take(content.tensors(), ("encoder.weight", "encoder.bias", "W_dec", "b_dec"), name)
    return Source(
        format=NAME,
        W=tensors["encoder.weight"].T,
        b=tensors["encoder.bias"],
        D=tensors["W_dec"],
        c=tensors["b_dec"],
        subtracts=True,
        activation="topk",
        k=number(settings, "k", name),
        attachment=_attachment(content),
        details={"module": content.path.parent.name},
    )


def _attachment(content: Content) -> Attachment:
    """The folder is named after the module; the model's name stands in the run's settings above."""
    folder = content.path.parent
    run: dict[str, Any] = {}
    if (folder.parent / "config.json").is_file():
        run = read_json(folder.parent / "config.json")
    model = run.get("model")
    return Attachment(layer_of_module(folder.name), model if isinstance(model, str) else None)
