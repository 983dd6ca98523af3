"""CLIP as a classifier without training: class names become a probe's weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from saecli.errors import SaecliError
from saecli.experiments.probes import Probe

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone

TEMPLATES = ("a photo of a {}",)  # Radford et al. 2021, section 3.1.4


def zero_shot(
    backbone: Backbone,
    classes: Sequence[str],
    *,
    logit_scale: float,
    templates: Sequence[str] = TEMPLATES,
) -> Probe:
    """Make the zero-shot probe of a CLIP backbone.

    A class's weight is the mean over the templates of its normalised text embeddings, normalised
    again and multiplied by CLIP's logit scale, so that the logits are CLIP's own (prompt
    ensembling in embedding space: Radford et al. 2021, arXiv 2103.00020, section 3.1.4).

    Args:
        classes: names, at least two.
        logit_scale: CLIP's temperature, already exponentiated (100 for OpenAI's models).
        templates: texts with ``{}`` where the class's name goes (as :func:`spoken`); articles
            are the caller's.

    Raises:
        SaecliError: if a template has no ``{}``, there is none, or the backbone has no texts.
    """
    check_templates(templates)
    texts = [template.replace("{}", spoken(name)) for name in classes for template in templates]
    with torch.no_grad():
        embeddings = torch.nn.functional.normalize(backbone.encode_text(texts).float(), dim=-1)
        mean = embeddings.view(len(classes), len(templates), -1).mean(dim=1)
        weight = logit_scale * torch.nn.functional.normalize(mean, dim=-1).T.contiguous().cpu()
    bias = torch.zeros(len(classes))
    return Probe("zero_shot", tuple(classes), weight, bias, "embedding", backbone.digest)


def check_templates(templates: Sequence[str]) -> None:
    """Return if every text has a place for the class.

    Raises:
        SaecliError: if one has none, or there is no text.
    """
    wrong = [template for template in templates if "{}" not in template]
    if wrong or not templates:
        raise SaecliError(
            f"the template '{wrong[0]}' has no place for the class" if wrong else "no template",
            "write {} where the class's name goes, as in 'a photo of a {}'",
        )


def spoken(name: str) -> str:
    """A class's name as a text says it: `073.Blue_Jay` (a folder of CUB-200-2011) is `Blue Jay`."""
    return re.sub(r"^\d+\.", "", name).replace("_", " ").strip() or name
