"""Every table of the catalog; ``metadata`` describes the newest schema."""

from saecli.catalog.tables.base import Base, now
from saecli.catalog.tables.dictionaries import Backbone, Dictionary, TrainingPoint
from saecli.catalog.tables.experiments import (
    Arm,
    Experiment,
    Hypothesis,
    HypothesisLatent,
    Probe,
    Trial,
)
from saecli.catalog.tables.findings import (
    Comparison,
    Match,
    Observation,
    ObservedLatent,
    SelectedLatent,
    Selection,
)
from saecli.catalog.tables.labels import Label, LabelClosure, LabelScore
from saecli.catalog.tables.latents import Latent, LatentExemplar, LatentProfile, Profile
from saecli.catalog.tables.pictures import Image, ImageSet, Member, SkippedPicture, Thumbnail
from saecli.catalog.tables.provenance import Artifact, Invocation, Meta

metadata = Base.metadata

__all__ = [
    "Arm",
    "Artifact",
    "Backbone",
    "Base",
    "Comparison",
    "Dictionary",
    "Experiment",
    "Hypothesis",
    "HypothesisLatent",
    "Image",
    "ImageSet",
    "Invocation",
    "Label",
    "LabelClosure",
    "LabelScore",
    "Latent",
    "LatentExemplar",
    "LatentProfile",
    "Match",
    "Member",
    "Meta",
    "Observation",
    "ObservedLatent",
    "Probe",
    "Profile",
    "SelectedLatent",
    "Selection",
    "SkippedPicture",
    "Thumbnail",
    "TrainingPoint",
    "Trial",
    "metadata",
    "now",
]
