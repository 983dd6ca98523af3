"""Backbones and dictionaries as the catalog names them, loaded and checked against each other."""

from typing import TYPE_CHECKING

from saecli.catalog.backbones import BackboneInfo, add_backbone
from saecli.catalog.dictionaries import DictionaryInfo, read_checkpoint
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.progress import Progress

if TYPE_CHECKING:
    from saecli.activations.manifest import Described
    from saecli.backbones.protocol import Backbone
    from saecli.sae.model import Dictionary


def load_backbone(
    name: str, progress: Progress, *, device: str = "auto", dtype: str = "float32"
) -> "Backbone":
    """Load a backbone by any name that ``--backbone`` takes."""
    from saecli.backbones import load
    from saecli.demo.backbones import BUILT_IN

    progress.say(f"loading {name}")
    return load(name, built_in=BUILT_IN, device=device, dtype=dtype)


def load_untrained_backbone(
    name: str, seed: int, progress: Progress, *, device: str = "auto", dtype: str = "float32"
) -> "Backbone":
    """Load a backbone's untrained twin: the same configuration with random weights."""
    from saecli.backbones import load_untrained
    from saecli.demo.backbones import BUILT_IN

    progress.say(f"making {name} with random weights")
    return load_untrained(name, seed, built_in=BUILT_IN, device=device, dtype=dtype)


def backbone_row(
    catalog: Catalog, invocation: Invocation, backbone: "Described", *, untrained: bool = False
) -> BackboneInfo:
    """Write the backbone, or find it where it is written already.

    A built-in one's source is its name: it lies elsewhere on the next machine.
    """
    from saecli.demo.backbones import BUILT_IN

    with catalog.writing() as session:
        return add_backbone(
            session,
            invocation.id,
            digest=backbone.digest,
            name=backbone.name,
            family=backbone.family,
            source=backbone.name if backbone.name in BUILT_IN else backbone.source,
            d_model=backbone.d_model,
            n_blocks=backbone.n_blocks,
            grid=backbone.grid,
            image_transform=backbone.image_transform,
            untrained=untrained,
        )


def load_dictionary(catalog: Catalog, info: DictionaryInfo, device: str) -> "Dictionary":
    """Read a dictionary's checkpoint from the catalog, its hash verified."""
    from saecli.sae.checkpoints import load

    with catalog.reading() as session:
        return load(read_checkpoint(session, info)).to(device)


def reference_of(row: BackboneInfo) -> str:
    """The name that loads a backbone again, from whichever folder the command runs in."""
    from saecli.demo.backbones import BUILT_IN

    return row.name if row.name in BUILT_IN else f"{row.family}:{row.source}"


def backbone_of(
    info: DictionaryInfo, progress: Progress, *, device: str = "auto", dtype: str = "float32"
) -> "Backbone":
    """Load the backbone that a dictionary was trained on.

    An untrained twin's weights are drawn again from the seed that its settings hold.
    """
    reference = reference_of(info.backbone)
    if info.untrained:
        seed = int(info.settings["untrained_seed"])
        return load_untrained_backbone(reference, seed, progress, device=device, dtype=dtype)
    return load_backbone(reference, progress, device=device, dtype=dtype)
