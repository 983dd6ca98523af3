"""What the experiments of one command share: models and pictures, each loaded once."""

from typing import TYPE_CHECKING

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.opening import Catalog
from saecli.images.sources import ImageSource
from saecli.progress import Progress
from saecli.workflows.digests import pictures_digest
from saecli.workflows.models import backbone_of, load_dictionary
from saecli.workflows.pictures import open_pictures

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone
    from saecli.sae.model import Dictionary


class Shelf:
    """Loads backbones, dictionaries and picture sets at their first use.

    Args:
        catalog: that names them.
        device: where to compute.
        progress: of what is loaded.
    """

    def __init__(self, catalog: Catalog, device: str, progress: Progress) -> None:
        self.catalog, self.device, self.progress = catalog, device, progress
        self._backbones: dict[str, Backbone] = {}
        self._dictionaries: dict[str, Dictionary] = {}
        self._sources: dict[tuple[str, int | None], ImageSource] = {}
        self._digests: dict[tuple[str, int | None], str] = {}

    def backbone(self, info: DictionaryInfo) -> "Backbone":
        """The backbone that a dictionary was trained on."""
        if info.backbone.digest not in self._backbones:
            self._backbones[info.backbone.digest] = backbone_of(
                info, self.progress, device=self.device
            )
        return self._backbones[info.backbone.digest]

    def dictionary(self, info: DictionaryInfo) -> "Dictionary":
        """A dictionary, on its backbone's device."""
        if info.sha256 not in self._dictionaries:
            device = str(self.backbone(info).device)
            self._dictionaries[info.sha256] = load_dictionary(self.catalog, info, device)
        return self._dictionaries[info.sha256]

    def source(self, images: str, n_images: int | None) -> ImageSource:
        """The pictures that a plan names."""
        key = images, n_images
        if key not in self._sources:
            self._sources[key] = open_pictures(images, self.progress, n_images=n_images)
        return self._sources[key]

    def digest(self, images: str, n_images: int | None) -> str:
        """The digest of those pictures: their names, labels and bytes."""
        key = images, n_images
        if key not in self._digests:
            self._digests[key] = pictures_digest(self.source(*key).files, self.progress)
        return self._digests[key]
