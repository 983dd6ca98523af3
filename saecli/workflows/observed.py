"""An experiment proposed by what was last looked at."""

import shlex
from typing import TYPE_CHECKING

import numpy as np

from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary
from saecli.catalog.observations import last_observation
from saecli.catalog.opening import Catalog
from saecli.catalog.probes import get_probe, probes_for, read_probe
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.records import ExplanationReport
from saecli.refs import Concept, parse_latent
from saecli.workflows.models import backbone_of
from saecli.workflows.pictures import picture_path, whole_set
from saecli.workflows.subjects import predicted_classes

if TYPE_CHECKING:
    from saecli.workflows.plans import Plan

HELD_OUT = {"fieldguide:train": "fieldguide:test"}  # a dictionary's own pictures chose its latents


def held_out(info: DictionaryInfo) -> str | None:
    """Pictures to test a dictionary's latents on: its own, or the built-in world's test set."""
    trained_on, _ = whole_set(info.image_set or "")
    return HELD_OUT.get(trained_on, info.image_set)


def command_to_test(info: DictionaryInfo, told: ExplanationReport) -> str | None:
    """The command line that tests an explanation's strongest latent; None where there is none."""
    images = held_out(info)
    if told.strongest is None or images is None:
        return None
    words = ["saecli", "knockout", told.strongest, "--images", images, "--probe", told.probe]
    words += ["--class", told.class_]
    if told.against is not None:
        words += ["--expect", told.against]
    return shlex.join(words)


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

    After `inspect --explain` it is the latent whose knock-out did most there, with the probe, the
    class and the other class that were explained. Else the probe is the backbone's first, the
    class the one that it predicts for the observed picture, or for most of the patches looked at.
    The images are those that the dictionary was trained on (of the built-in world: the test set).
    Each, unless it is given.

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
        explained = seen.explained or {}
        known = probes_for(session, info.backbone)
        name = probe or explained.get("probe")
        if name is None and not known:
            raise SaecliError(
                f"there is no probe of {info.backbone.name}",
                "train one (saecli probe train), or name one with --probe",
            )
        row = get_probe(session, name) if name else known[0]
        head = Probe.from_bytes(read_probe(session, row))
    expect = None
    if class_name is None and row.name == explained.get("probe"):
        class_name, expect = explained["class"], explained["against"]
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
        classes = seen_as[0][list(seen.patches)] if head.reads_patches else seen_as[0]
        class_name = head.classes[int(np.bincount(classes).argmax())]
    chosen = images or held_out(info)
    if chosen is None:
        raise SaecliError("no pictures to test on", "give --images")
    latent = seen.latents[0][0]
    if explained.get("latent"):
        latent = parse_latent(explained["latent"]).latents[0]
    return Plan(Concept(info.name, (latent,)), chosen, row.name, class_name, expect)
