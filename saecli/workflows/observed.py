"""An experiment proposed by what was last looked at."""

from typing import TYPE_CHECKING

import numpy as np

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.observations import last_observation
from saecli.catalog.opening import Catalog
from saecli.catalog.probes import get_probe, probes_for, read_probe
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.refs import Concept
from saecli.workflows.models import backbone_of
from saecli.workflows.pictures import picture_path, whole_set
from saecli.workflows.subjects import predicted_classes

if TYPE_CHECKING:
    from saecli.workflows.plans import Plan

HELD_OUT = {"fieldguide:train": "fieldguide:test"}  # a dictionary's own pictures chose its latents


def plan_from_observation(
    catalog: Catalog,
    *,
    images: str | None,
    probe: str | None,
    class_name: str | None,
    device: str,
    progress: Progress,
) -> "Plan":
    """The plan for the strongest latent of the last observation.

    The probe is the backbone's first, the class the one that it predicts for the observed
    picture, the images those that the dictionary was trained on (of the built-in world: the test
    set); each unless it is given.

    Raises:
        SaecliError: if nothing was observed, or there is no probe.
    """
    from saecli.experiments.probes import Probe
    from saecli.images.sources import ImageFile
    from saecli.workflows.plans import Plan

    with catalog.reading() as session:
        seen = last_observation(session)
        if seen is None or not seen.latents:
            raise SaecliError(
                "nothing was observed yet to knock out",
                "look at a picture first (saecli inspect IMAGE --patches …), or name latents",
            )
        info = get_dictionary(session, seen.dictionary)
        known = probes_for(session, info.backbone)
        if probe is None and not known:
            raise SaecliError(
                f"there is no probe of {info.backbone.name}",
                "train one (saecli probe train), or name one with --probe",
            )
        row = get_probe(session, probe) if probe else known[0]
        head = Probe.from_bytes(read_probe(session, row))
    if class_name is None:
        path = picture_path(seen.image.path, progress)
        backbone = backbone_of(info, progress, device=device)
        file = ImageFile(path, path.name, None)
        seen_as = predicted_classes(backbone, head.to(backbone.device), [file], progress)
        if not seen_as:
            raise SaecliError(
                f"the observed picture '{path}' can't be read any more",
                "find it again (saecli catalog relocate DIR), or give --class",
            )
        class_name = head.classes[int(np.bincount(seen_as[0]).argmax())]
    trained_on, _ = whole_set(info.image_set or "")
    chosen = images or HELD_OUT.get(trained_on, info.image_set)
    if chosen is None:
        raise SaecliError("no pictures to test on", "give --images")
    latent = seen.latents[0][0]
    return Plan(Concept(info.name, (latent,)), chosen, row.name, class_name)
