"""What a picture's patches activate: computed by the backbone and the dictionary, kept, shown."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo, default_dictionary, get_dictionary
from saecli.catalog.images import Picture, add_image
from saecli.catalog.invocations import Invocation
from saecli.catalog.latents import exemplars, summaries
from saecli.catalog.observations import add_observation
from saecli.catalog.opening import Catalog
from saecli.progress import Progress
from saecli.records import ImageRef, InspectedLatent, InspectReport
from saecli.refs import latent_ref
from saecli.workflows.models import backbone_of, load_dictionary
from saecli.workflows.pictures import picture_path

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture through a dictionary.

    Attributes:
        image: upright RGB, whole.
        view: (left, top, right, bottom) of what the backbone sees of it, in pixels.
        patches: the patches looked at, ascending.
        latents: the strongest latents, strongest first.
        summed: (n_latents,) their activations summed over the patches, SAE units.
        maps: (n_latents, P) their activations at every patch.
    """

    image: "Image"
    view: Box
    patches: tuple[int, ...]
    latents: list[int]
    summed: NDArray[np.float32]
    maps: NDArray[np.float32]


def find_dictionary(catalog: Catalog, name: str | None) -> DictionaryInfo:
    """The named dictionary, or the catalog's default."""
    with catalog.reading() as session:
        return get_dictionary(session, name) if name else default_dictionary(session)


def look(
    catalog: Catalog,
    info: DictionaryInfo,
    image: "Image",
    patches: tuple[int, ...] | None,
    *,
    top: int,
    device: str,
    progress: Progress,
) -> Seen:
    """Run a picture through a dictionary's backbone and sum its latents over some patches.

    Latents are ranked by their sum, descending, ties by lower index; silent ones are left out.

    Args:
        patches: numbers on the dictionary's grid; None for all of them.

    Raises:
        SaecliError: if a patch is beyond the grid, or the backbone isn't the dictionary's.
    """
    chosen = info.grid.check(patches) if patches else tuple(range(info.grid.n_patches))
    backbone = backbone_of(info, progress, device=device)
    dictionary = load_dictionary(catalog, info, str(backbone.device))
    dictionary.check_fits(backbone)
    output = backbone.record(backbone.preprocess(image)[None], info.layer)
    f = dictionary.encode(output.patches[0].to(dictionary.dtype)).cpu().numpy()
    summed = f[list(chosen)].sum(axis=0, dtype=np.float64)
    order = np.lexsort((np.arange(len(summed)), -summed))[:top]
    strongest = [int(latent) for latent in order if summed[latent] > 0]
    return Seen(
        image=image,
        view=backbone.geometry.view(image.width, image.height),
        patches=chosen,
        latents=strongest,
        summed=summed[strongest].astype(np.float32),
        maps=f[:, strongest].T,
    )


def inspect_image(
    catalog: Catalog,
    invocation: Invocation,
    image_name: str,
    patches: tuple[int, ...] | None,
    *,
    dictionary: str | None,
    top: int,
    device: str,
    progress: Progress,
    n_exemplars: int = 4,
) -> tuple[InspectReport, Seen]:
    """Look at a picture and store the observation.

    Raises:
        SaecliError: if the picture can't be read, a patch is beyond the grid, or there is no such
            dictionary.
    """
    from saecli.images.decoding import content_hash, decode, thumbnail

    info = find_dictionary(catalog, dictionary)
    if patches:
        info.grid.check(patches)
    path = picture_path(image_name, progress)
    image = decode(path)
    seen = look(catalog, info, image, patches, top=top, device=device, progress=progress)
    picture = Picture(
        name=path.name,
        path=image_name if path != Path(image_name).expanduser() else str(path.resolve()),
        sha256=content_hash(path),
        width=image.width,
        height=image.height,
        thumbnail=thumbnail(image),
    )
    pairs = list(zip(seen.latents, map(float, seen.summed), strict=True))
    with catalog.writing() as session:
        image_id = add_image(session, invocation.id, picture)
        observation = add_observation(
            session,
            invocation.id,
            image_id=image_id,
            dictionary=info,
            patches=seen.patches,
            latents=pairs,
        )
    with catalog.reading() as session:
        known = summaries(session, info, seen.latents)
        shown = exemplars(session, info, seen.latents, top=n_exemplars)
    report = InspectReport(
        image=ImageRef(image_id, picture.path),
        dictionary=info.name,
        patches=list(seen.patches),
        observation=observation,
        latents=[
            InspectedLatent(
                ref=latent_ref(info.name, latent),
                activation=activation,
                label=known[latent].label,
                density=known[latent].density,
                exemplars=shown.get(latent, []),
            )
            for latent, activation in pairs
        ],
        grid=[info.grid.rows, info.grid.columns],
        sheet=None,
    )
    return report, seen
