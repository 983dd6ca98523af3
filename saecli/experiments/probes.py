"""A probe: a linear head on a backbone's final output, with the identity of its backbone.

Three tasks share one form, ``logits = input @ weight + bias``: linear classification,
per-patch segmentation, and CLIP zero-shot (whose weights are text embeddings times CLIP's
logit scale). Standardisation of the input, where training used one, is folded into the weights.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import safetensors.torch
import torch
from torch import Tensor

from saecli.errors import SaecliError, one_of

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone, FinalOutput

Task = Literal["classification", "segmentation", "zero_shot"]
Reads = Literal["cls", "cls+mean_patches", "patches", "embedding"]

READABLE: dict[Task, tuple[Reads, ...]] = {
    "classification": ("cls", "cls+mean_patches", "embedding"),
    "segmentation": ("patches",),
    "zero_shot": ("embedding",),
}
FORMAT = 1


def read(final: FinalOutput, reads: Reads) -> Tensor:
    """The part of a backbone's final output that a head is put on; differentiable.

    ``cls+mean_patches`` is the input of DINOv2's linear evaluation (Oquab et al. 2023,
    arXiv 2304.07193, appendix B.3: the class token beside the mean of the patch tokens);
    ``embedding`` is CLIP's projected embedding at unit length (Radford et al. 2021,
    arXiv 2103.00020, figure 3).

    Returns:
        (B, D_in), or (B, P, D) for ``patches``.

    Raises:
        SaecliError: if the backbone has no projected embedding and ``embedding`` is wanted.
    """
    if reads == "cls":
        return final.cls
    if reads == "cls+mean_patches":
        return torch.cat([final.cls, final.patches.mean(dim=1)], dim=-1)
    if reads == "patches":
        return final.patches
    if final.embedding is None:
        raise SaecliError(
            "this backbone has no image embedding that matches texts",
            "use a CLIP backbone for zero-shot, or train a classification probe",
        )
    return torch.nn.functional.normalize(final.embedding, dim=-1)


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear head.

    Args:
        task: what it does.
        classes: names, in the order of the logits; at least two, all different.
        weight: (D_in, n_classes), float.
        bias: (n_classes,), float.
        reads: which part of the final output is its input; see :func:`read`.
        backbone_digest: the digest of the backbone it was made for.

    Raises:
        SaecliError: if the parts don't fit each other, or hold a NaN or an infinity.
    """

    task: Task
    classes: tuple[str, ...]
    weight: Tensor
    bias: Tensor
    reads: Reads
    backbone_digest: str

    def __post_init__(self) -> None:
        n = len(self.classes)
        if self.reads not in READABLE.get(self.task, ()):
            raise _broken(f"it is a {self.task} head on {self.reads}")
        if n < 2 or len(set(self.classes)) != n:
            raise _broken(f"it has {n} classes, {len(set(self.classes))} of them different")
        if self.weight.ndim != 2 or self.weight.shape[1] != n or self.bias.shape != (n,):
            raise _broken(
                f"weight {tuple(self.weight.shape)} and bias {tuple(self.bias.shape)} "
                f"don't fit {n} classes"
            )
        if not (self.weight.isfinite().all() and self.bias.isfinite().all()):
            raise _broken("it holds values that are no finite numbers")

    @property
    def reads_patches(self) -> bool:
        """Whether it needs more of the final output than class token and embedding."""
        return "patches" in self.reads

    @property
    def digest(self) -> str:
        """SHA-256 of :meth:`to_bytes`, hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def logits(self, final: FinalOutput) -> Tensor:
        """(B, C), or (B, P, C) for segmentation; differentiable in the final output."""
        return self.head(read(final, self.reads))

    def head(self, features: Tensor) -> Tensor:
        """The logits (..., C) of inputs (..., D_in) that :func:`read` gave.

        Raises:
            SaecliError: if the input has another width than the probe.
        """
        if features.shape[-1] != self.weight.shape[0]:
            raise SaecliError(
                f"the probe reads {self.weight.shape[0]} values and the backbone gives "
                f"{features.shape[-1]}",
                "use the probe with the backbone it was trained on (saecli list)",
            )
        weight = self.weight.to(features.device)
        return features.to(weight.dtype) @ weight + self.bias.to(features.device)

    def index(self, name: str) -> int:
        """The position of a class.

        Raises:
            SaecliError: naming the nearest classes, if the probe doesn't know this one.
        """
        if name not in self.classes:
            raise SaecliError(
                f"the probe has no class '{name}'", f"name one of {one_of(self.classes, name)}"
            )
        return self.classes.index(name)

    def check_fits(self, backbone: Backbone) -> None:
        """Refuse a backbone other than the one that the probe was made for.

        Raises:
            SaecliError: if the digests differ.
        """
        if backbone.digest != self.backbone_digest:
            raise SaecliError(
                f"the probe was made for another backbone than '{backbone.name}' (digest "
                f"{self.backbone_digest[:12]}, not {backbone.digest[:12]})",
                f"train one with saecli probe train --backbone {backbone.name}",
            )

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Probe:
        """The same probe on another device or with another dtype."""
        return replace(
            self,
            weight=self.weight.to(device=device, dtype=dtype),
            bias=self.bias.to(device=device, dtype=dtype),
        )

    def to_bytes(self) -> bytes:
        """A safetensors file: ``weight``, ``bias`` and the metadata key ``saecli`` (JSON)."""
        header = {
            "format": FORMAT,
            "kind": "probe",
            "task": self.task,
            "classes": list(self.classes),
            "reads": self.reads,
            "backbone_digest": self.backbone_digest,
        }
        tensors = {
            "weight": self.weight.detach().cpu().contiguous(),
            "bias": self.bias.detach().cpu().contiguous(),
        }
        metadata = {"saecli": json.dumps(header, sort_keys=True, ensure_ascii=False)}
        return bytes(safetensors.torch.save(tensors, metadata))

    @classmethod
    def from_bytes(cls, data: bytes) -> Probe:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            SaecliError: if the bytes are no probe, a damaged one, or one of a later format.
        """
        header = _header(data)
        if header.get("format") != FORMAT:
            raise SaecliError(
                f"the probe has format {header.get('format')} and this saecli reads {FORMAT}",
                "update saecli",
            )
        try:
            tensors = safetensors.torch.load(data)
        except Exception as error:
            raise _broken(str(error)) from error
        if set(tensors) != {"weight", "bias"}:
            raise _broken(f"it holds {', '.join(sorted(tensors)) or 'no arrays'}")
        classes, digest = header.get("classes"), header.get("backbone_digest")
        task, reads = header.get("task"), header.get("reads")
        if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
            raise _broken("its classes are no list of names")
        if not isinstance(digest, str):
            raise _broken("it doesn't name its backbone")
        return cls(
            cast(Task, task),
            tuple(classes),
            tensors["weight"],
            tensors["bias"],
            cast(Reads, reads),
            digest,
        )


def _broken(what: str) -> SaecliError:
    return SaecliError(f"this is no probe that saecli can use: {what}", "train it again")


def _header(data: bytes) -> dict[str, Any]:
    """The JSON object under a safetensors file's metadata key ``saecli``."""
    try:
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["saecli"])
    except (struct.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _broken("it has no readable header") from error
    if not isinstance(header, dict) or header.get("kind") != "probe":
        raise _broken("its header describes something else")
    return header
