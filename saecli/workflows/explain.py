"""Why a probe predicts a class for one picture: its latents by what the prediction rests on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.opening import Catalog
from saecli.catalog.probes import ProbeInfo, get_probe, probes_for, read_probe
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.records import ExplanationReport
from saecli.refs import latent_ref
from saecli.workflows.subjects import class_index

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone, LayerOutput
    from saecli.experiments.explanation import Explanation
    from saecli.experiments.probes import Probe
    from saecli.sae.model import Dictionary


@dataclass(frozen=True)
class Question:
    """What is to be explained.

    Attributes:
        probe: whose prediction; None for the backbone's first.
        class_name: the class; None for the predicted one.
        against: the class that it is explained over; None for all others together.
    """

    probe: str | None = None
    class_name: str | None = None
    against: str | None = None


@dataclass(frozen=True)
class Asked:
    """A question to a dictionary, with its probe; the named classes are checked against it."""

    question: Question
    dictionary: str
    row: ProbeInfo
    probe: "Probe"


def open_question(catalog: Catalog, info: DictionaryInfo, question: Question) -> Asked:
    """Find the probe and check the question against it, before any model is loaded.

    Raises:
        SaecliError: if there is no probe of the dictionary's backbone, the named one is of another
            backbone, or it doesn't know a class.
    """
    from saecli.experiments.probes import Probe

    with catalog.reading() as session:
        known = probes_for(session, info.backbone)
        if question.probe is None and not known:
            raise SaecliError(
                f"there is no probe of {info.backbone.name} whose prediction could be explained",
                "train one (saecli probe train)",
            )
        row = get_probe(session, question.probe) if question.probe else known[0]
        if row.backbone.digest != info.backbone.digest:
            fitting = ", ".join(probe.name for probe in known)
            raise SaecliError(
                f"the probe '{row.name}' reads {row.backbone.name} and the dictionary "
                f"'{info.name}' is of {info.backbone.name}"
                + (" with random weights" if info.untrained else ""),
                f"name one of {fitting}" if fitting else "train one (saecli probe train)",
            )
        probe = Probe.from_bytes(read_probe(session, row))
    for name in (question.class_name, question.against):
        if name is not None:
            class_index(probe, name)
    return Asked(question, info.name, row, probe)


def explain_picture(
    asked: Asked,
    backbone: "Backbone",
    dictionary: "Dictionary",
    output: "LayerOutput",
    patches: tuple[int, ...],
    *,
    top: int,
    progress: Progress,
) -> "tuple[Explanation, ExplanationReport]":
    """Explain the prediction for a picture that was recorded at the dictionary's layer.

    Raises:
        SaecliError: if no patch looked at has the class, or it is compared with itself.
    """
    from saecli.experiments.explanation import explain
    from saecli.experiments.margins import Contrast
    from saecli.experiments.runner import Bench

    probe = asked.probe.to(backbone.device)
    question = asked.question
    name = question.class_name or _predicted(probe, backbone, dictionary, output, patches)
    against = None if question.against is None else class_index(probe, question.against)
    bench = Bench(backbone, dictionary, probe, Contrast(class_index(probe, name), against))
    with progress.task("knocking out", None, "latents") as task:
        found = explain(bench, output, patches, listed=top, on_checked=task.advance)
    largest, strongest = float(found.grad_cam.max()), found.strongest
    report = ExplanationReport(
        probe=asked.row.name,
        class_=name,
        against=question.against,
        probability=found.probability,
        margin=found.margin,
        n_active=len(found.ranked),
        n_checked=found.n_checked,
        rank_correlation=None if np.isnan(found.rank_correlation) else found.rank_correlation,
        strongest=(
            None if strongest is None else latent_ref(asked.dictionary, found.ranked[strongest])
        ),
        strongest_rank=None if strongest is None else strongest + 1,
        grad_cam=[float(value) / largest if largest > 0 else 0.0 for value in found.grad_cam],
    )
    return found, report


def _predicted(
    probe: "Probe",
    backbone: "Backbone",
    dictionary: "Dictionary",
    output: "LayerOutput",
    patches: tuple[int, ...],
) -> str:
    """The predicted class: the picture's, or the most frequent one of the patches looked at."""
    import torch

    with torch.no_grad():
        logits = probe.logits(backbone.resume(output, dictionary.identity.layer))
    classes = logits.argmax(dim=-1).cpu().numpy().reshape(-1)
    if probe.task == "segmentation":
        classes = classes[list(patches)]
    return probe.classes[int(np.bincount(classes).argmax())]
