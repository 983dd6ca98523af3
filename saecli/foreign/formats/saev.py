"""saev (Stevens et al. 2025): a line of JSON, then `torch.save` of the state dict.

Schemas: none (the published CLIP, BioCLIP and DINOv2 files), 1 in two forms, 2 to 5. The encoder's
`− b_dec` was dropped on 2025-07-31 in commit e7ca004. Files without a schema are older. Schema 2
began after that commit, with 8d38c23 of the same day. Schema 1 was in use before and after, so that
only the user can say.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from saecli.errors import SaecliError
from saecli.foreign.content import Content
from saecli.foreign.keys import number, take
from saecli.foreign.said import NORMALISATION, Said
from saecli.foreign.source import Source

NAME = "saev"
TAKES = NORMALISATION | {"subtracts"}
LEGACY_CLASSES = ("Relu", "TopK", "BatchTopK")
SCHEMAS = (None, 1, 2, 3, 4, 5)


def recognises(content: Content) -> bool:
    """Whether the file begins with a line of JSON."""
    return content.header is not None


def read(content: Content, said: Said) -> Source:
    """Read a file of any schema.

    Raises:
        SaecliError: if it is of a newer schema, lacks something, or leaves the encoder's form open.
    """
    header, name = content.header or {}, content.shown
    schema = header.get("schema")
    if schema not in SCHEMAS:
        raise SaecliError(f"{name} is of saev's schema {schema}", "update saecli")
    kind, params = _activation(header, schema, name)
    names = {"Relu": ("relu", ()), "TopK": ("topk", ()), "BatchTopK": ("jumprelu", ("threshold",))}
    if kind not in names:
        raise SaecliError(f"{name} has the activation {kind}", "import a Relu, TopK or BatchTopK")
    activation, more = names[kind]
    tensors = take(
        content.tensors(),
        ("W_enc", "b_enc", "W_dec", "b_dec", *(f"activation.{key}" for key in more)),
        name,
        optional=() if kind == "BatchTopK" else ("activation.threshold",),
    )
    n_latents = len(tensors["b_enc"])
    return Source(
        format=NAME,
        W=tensors["W_enc"],
        b=tensors["b_enc"],
        D=tensors["W_dec"],
        c=tensors["b_dec"],
        subtracts=_subtracts(schema, said, name),
        activation=activation,  # type: ignore[arg-type]
        k=number(params, "top_k", name) if kind == "TopK" else None,
        signed=kind == "TopK",
        threshold=_one_for_all(tensors, n_latents) if kind == "BatchTopK" else None,
        details={"schema": schema, "commit": header.get("commit")},
    )


def _one_for_all(tensors: Mapping[str, Tensor], n_latents: int) -> Tensor:
    return tensors["activation.threshold"].float().reshape(-1).expand(n_latents).clone()


def _activation(
    header: Mapping[str, Any], schema: int | None, name: str
) -> tuple[str, Mapping[str, Any]]:
    """The activation's class and its parameters."""
    if schema is None:
        return "Relu", {}
    settings = header.get("cfg")
    if not isinstance(settings, Mapping):
        raise SaecliError(f"{name} has no settings in its first line", "get the file anew")
    if schema == 1 and header.get("cls") in LEGACY_CLASSES:
        return str(header["cls"]), settings
    stated = settings.get("activation")
    if not isinstance(stated, Mapping) or not isinstance(stated.get("params", {}), Mapping):
        raise SaecliError(f"{name} doesn't state its activation", "get the file anew")
    return str(stated.get("cls")), stated.get("params", {})


def _subtracts(schema: int | None, said: Said, name: str) -> bool:
    if said.subtracts is not None:
        return said.subtracts
    if schema == 1:
        raise SaecliError(
            f"{name} is of schema 1, which saev wrote before and after its encoder stopped "
            "subtracting the decoder's bias (31 July 2025)",
            "say --encoder-subtracts-b-dec for an older file, --no-encoder-subtracts-b-dec for "
            "a newer one",
        )
    return schema is None
