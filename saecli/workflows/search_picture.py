"""Latents by a picture, or some of its patches: those that fire there more than anywhere else.

`inspect` ranks by activation, where latents that fire strongly everywhere come first. Here a
latent's score is its rank among the profiled pictures: the share of them on which it fires less
strongly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saecli.backbones.protocol import Backbone
from saecli.catalog.images import Picture, add_image
from saecli.catalog.invocations import Invocation
from saecli.catalog.observations import add_observation
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.workflows.models import backbone_of, load_dictionary
from saecli.workflows.pictures import picture_path
from saecli.workflows.pools import Pool, Query


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """A picture that latents were found by: an observation of each dictionary."""

    picture: Picture
    pools: Sequence[Pool]
    patches: Sequence[tuple[int, ...]]

    def keep(
        self, catalog: Catalog, invocation: Invocation, page: Sequence[tuple[int, int]]
    ) -> list[int]:
        """Store what was seen of the page's latents; the observations' numbers.

        The picture then takes no part in testing them.
        """
        numbers = []
        with catalog.writing() as session:
            image_id = add_image(session, invocation.id, self.picture)
            for place, (pool, patches) in enumerate(zip(self.pools, self.patches, strict=True)):
                found = [
                    (index, float(pool.activation[index]))
                    for which, index in page
                    if which == place and pool.activation is not None
                ]
                if found:
                    numbers.append(
                        add_observation(
                            session,
                            invocation.id,
                            image_id=image_id,
                            dictionary=pool.info,
                            patches=patches,
                            latents=sorted(found, key=lambda one: (-one[1], one[0])),
                        )
                    )
        return numbers


def rank_by_picture(
    catalog: Catalog, pools: Sequence[Pool], query: Query, *, device: str, progress: Progress
) -> SeenPicture:
    """Order latents by how unusual their activation on a picture is.

    Raises:
        SaecliError: if the picture can't be read, a patch is beyond the grid, or patches are
            named and the dictionary isn't.
    """
    from saecli.images.decoding import content_hash, decode, thumbnail

    if query.patches is not None and len(pools) > 1:
        raise SaecliError(
            "patches are numbered on one dictionary's grid", "name it with --dictionary", usage=True
        )
    name = query.image or ""
    chosen = [
        pool.info.grid.check(query.patches)
        if query.patches is not None
        else tuple(range(pool.info.grid.n_patches))
        for pool in pools
    ]
    path = picture_path(name, progress)
    image = decode(path)
    backbones: dict[str, Backbone] = {}
    for pool, patches in zip(pools, chosen, strict=True):
        digest = pool.info.backbone.digest
        if digest not in backbones:
            backbones[digest] = backbone_of(pool.info, progress, device=device)
        backbone = backbones[digest]
        loaded = load_dictionary(catalog, pool.info, str(backbone.device))
        loaded.check_fits(backbone)
        output = backbone.record(backbone.preprocess(image)[None], pool.info.layer)
        f = loaded.encode(output.patches[0].to(loaded.dtype)).cpu().numpy()
        largest = f[list(patches)].max(axis=0).astype(np.float64)
        with catalog.reading() as session:
            _, signatures = pool.signatures(session)
        # Signatures are float16: the same rounding, so that the picture itself is no rival.
        here = largest.astype(np.float16)
        pool.activation = largest
        pool.scores = (signatures < here[:, None]).mean(axis=1)
        pool.chosen &= largest > 0
    picture = Picture(
        name=path.name,
        path=name if path != Path(name).expanduser() else str(path.resolve()),
        sha256=content_hash(path),
        width=image.width,
        height=image.height,
        thumbnail=thumbnail(image),
    )
    return SeenPicture(picture, pools, chosen)
