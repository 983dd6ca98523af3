"""What a picture's patches activate, and what a prediction for it rests on; kept and reported."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo, default_dictionary, get_dictionary
from saecli.catalog.images import Picture, add_image
from saecli.catalog.invocations import Invocation
from saecli.catalog.latents import exemplars, summaries
from saecli.catalog.observations import EXPLAINED, add_observation
from saecli.catalog.opening import Catalog
from saecli.progress import Progress
from saecli.records import ExplanationReport, ImageRef, InspectedLatent, InspectReport
from saecli.refs import latent_ref
from saecli.workflows.explain import Question, explain_picture, open_question
from saecli.workflows.models import backbone_of, load_dictionary
from saecli.workflows.observed import command_to_test
from saecli.workflows.pictures import picture_path

if TYPE_CHECKING:
    from PIL.Image import Image

    from saecli.backbones.protocol import Backbone
    from saecli.experiments.explanation import Explanation

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture through a dictionary.

    Attributes:
        image: upright RGB, whole.
        view: (left, top, right, bottom) of what the backbone sees of it, in pixels.
        patches: the patches looked at, ascending.
        latents: the reported ones, the strongest first, or in an explanation's order.
        summed: (len(latents),) their activations summed over the patches, SAE units.
        maps: (len(latents), P) their activations at every patch.
    """

    image: "Image"
    view: Box
    patches: tuple[int, ...]
    latents: list[int]
    summed: NDArray[np.float32]
    maps: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        backbone: "Backbone",
        image: "Image",
        patches: tuple[int, ...],
        f: NDArray[np.float32],
        latents: list[int],
    ) -> "Seen":
        """From all activations f (P, n_latents) and the latents to report."""
        chosen = f[:, latents]
        return cls(
            image=image,
            view=backbone.geometry.view(image.width, image.height),
            patches=patches,
            latents=latents,
            summed=chosen[list(patches)].sum(axis=0, dtype=np.float64).astype(np.float32),
            maps=chosen.T,
        )


def find_dictionary(catalog: Catalog, name: str | None) -> DictionaryInfo:
    """The named dictionary, or the catalog's default."""
    with catalog.reading() as session:
        return get_dictionary(session, name) if name else default_dictionary(session)


def strongest(f: NDArray[np.float32], patches: tuple[int, ...], top: int) -> list[int]:
    """Latents by their activations summed over some patches, descending, ties by lower index.

    Args:
        f: (P, n_latents).
        patches: the patches.
        top: at most so many; silent ones are left out.
    """
    summed = f[list(patches)].sum(axis=0, dtype=np.float64)
    order = np.lexsort((np.arange(len(summed)), -summed))[:top]
    return [int(latent) for latent in order if summed[latent] > 0]


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
    question: Question | None = None,
    n_exemplars: int = 4,
) -> tuple[InspectReport, Seen]:
    """Look at a picture and store the observation.

    Args:
        patches: numbers on the dictionary's grid; None for all of them.
        question: rank the latents by what this prediction rests on, not by their activation.

    Raises:
        SaecliError: if the picture can't be read, a patch is beyond the grid, there is no such
            dictionary, or the question doesn't fit it (see `open_question`).
    """
    from saecli.images.decoding import content_hash, decode, thumbnail

    info = find_dictionary(catalog, dictionary)
    chosen = info.grid.check(patches) if patches else tuple(range(info.grid.n_patches))
    asked = None if question is None else open_question(catalog, info, question)
    path = picture_path(image_name, progress)
    image = decode(path)
    backbone = backbone_of(info, progress, device=device)
    loaded = load_dictionary(catalog, info, str(backbone.device))
    loaded.check_fits(backbone)
    output = backbone.record(backbone.preprocess(image)[None], info.layer)
    f = loaded.encode(output.patches[0].to(loaded.dtype)).cpu().numpy()
    explained: Explanation | None = None
    told: ExplanationReport | None = None
    if asked is None:
        shown, ranks = strongest(f, chosen, top), []
    else:
        explained, told = explain_picture(
            asked, backbone, loaded, output, chosen, top=top, progress=progress
        )
        told = replace(told, next_command=command_to_test(info, told))
        invocation.resolve(invocation.settings | {EXPLAINED: _explained(told)})
        ranks = explained.listed(top)
        shown = [explained.ranked[rank] for rank in ranks]
    seen = Seen.of(backbone, image, chosen, f, shown)
    picture = Picture(
        name=path.name,
        path=image_name if path != Path(image_name).expanduser() else str(path.resolve()),
        sha256=content_hash(path),
        width=image.width,
        height=image.height,
        thumbnail=thumbnail(image),
    )
    image_id, observation = _keep(catalog, invocation, info, picture, seen)
    report = InspectReport(
        image=ImageRef(image_id, picture.path),
        dictionary=info.name,
        patches=list(seen.patches),
        observation=observation,
        latents=_latents(catalog, info, seen, explained, ranks, n_exemplars),
        grid=[info.grid.rows, info.grid.columns],
        sheet=None,
        explanation=told,
    )
    return report, seen


def _explained(told: ExplanationReport) -> dict[str, str | None]:
    """What a later `knockout` without arguments takes from here."""
    return {
        "probe": told.probe,
        "class": told.class_,
        "against": told.against,
        "latent": told.strongest,
    }


def _keep(
    catalog: Catalog, invocation: Invocation, info: DictionaryInfo, picture: Picture, seen: Seen
) -> tuple[int, int]:
    """Write picture and observation; their numbers."""
    with catalog.writing() as session:
        image_id = add_image(session, invocation.id, picture)
        observation = add_observation(
            session,
            invocation.id,
            image_id=image_id,
            dictionary=info,
            patches=seen.patches,
            latents=list(zip(seen.latents, map(float, seen.summed), strict=True)),
        )
    return image_id, observation


def _latents(
    catalog: Catalog,
    info: DictionaryInfo,
    seen: Seen,
    explained: "Explanation | None",
    ranks: list[int],
    n_exemplars: int,
) -> list[InspectedLatent]:
    with catalog.reading() as session:
        known = summaries(session, info, seen.latents)
        found = exemplars(session, info, seen.latents, top=n_exemplars)
    return [
        InspectedLatent(
            ref=latent_ref(info.name, latent),
            activation=float(activation),
            label=known[latent].label,
            density=known[latent].density,
            exemplars=found.get(latent, []),
            attribution=None if explained is None else float(explained.attributions[ranks[place]]),
            effect=None if explained is None else float(explained.effects[ranks[place]]),
        )
        for place, (latent, activation) in enumerate(zip(seen.latents, seen.summed, strict=True))
    ]
