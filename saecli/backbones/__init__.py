"""Frozen vision transformers: record a layer, resume from it. Importing this loads no torch."""

from saecli.backbones.geometry import Geometry
from saecli.backbones.loading import load, load_untrained, resolve_device, resolve_layer
from saecli.backbones.names import BackboneName, parse_backbone
from saecli.backbones.protocol import Backbone, FinalOutput, LayerOutput

__all__ = [
    "Backbone",
    "BackboneName",
    "FinalOutput",
    "Geometry",
    "LayerOutput",
    "load",
    "load_untrained",
    "parse_backbone",
    "resolve_device",
    "resolve_layer",
]
