"""Backbone names (`clip:ViT-B-16/openai`, `dinov2:FOLDER`) and the families they can name."""

from collections.abc import Mapping
from dataclasses import dataclass

from saecli.errors import SaecliError


@dataclass(frozen=True)
class Family:
    """How one family of backbones is found.

    Args:
        module: the module that loads it; see ``loading.FamilyModule`` for what it offers.
        title: what error messages call its models.
        config_file: the file that a local folder of this family holds.
        model_types: the `model_type` values that the file may have; empty: any.
        forms: the sources it accepts, as usage help.
    """

    module: str
    title: str
    config_file: str
    model_types: tuple[str, ...]
    forms: tuple[str, ...]


FAMILIES: dict[str, Family] = {
    "clip": Family(
        "saecli.backbones.clip",
        title="open_clip",
        config_file="open_clip_config.json",
        model_types=(),
        forms=("clip:ARCH/PRETRAINED", "clip:FOLDER", "clip:hf-hub:ORG/NAME"),
    ),
    "dinov2": Family(
        "saecli.backbones.dinov2",
        title="DINOv2",
        config_file="config.json",
        model_types=("dinov2", "dinov2_with_registers"),
        forms=("dinov2:FOLDER", "dinov2:ORG/NAME"),
    ),
    "dinov3": Family(
        "saecli.backbones.dinov3",
        title="DINOv3",
        config_file="config.json",
        model_types=("dinov3_vit",),
        forms=("dinov3:FOLDER", "dinov3:ORG/NAME"),
    ),
}


@dataclass(frozen=True)
class BackboneName:
    """A family (a key of FAMILIES) and what it should load: a folder or a hub name."""

    family: str
    source: str


def parse_backbone(name: str, built_in: Mapping[str, str] | None = None) -> BackboneName:
    """Read a backbone's name; nothing is opened.

    Args:
        name: `FAMILY:SOURCE`, or a key of ``built_in``.
        built_in: short names and the full names (`clip:FOLDER`) that they stand for.

    Raises:
        SaecliError: if the name has another form, or the family is unknown.
    """
    known = built_in or {}
    family, colon, source = known.get(name, name).partition(":")
    if colon and family in FAMILIES and source.strip():
        return BackboneName(family, source)
    forms = [*known, *(form for entry in FAMILIES.values() for form in entry.forms)]
    raise SaecliError(
        f"'{name}' names no backbone",
        "write " + ", ".join(forms[:-1]) + " or " + forms[-1],
        usage=True,
    )
