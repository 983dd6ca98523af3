"""Whether an imported dictionary fits its backbone and layer: what it explains of real pictures."""

from typing import TYPE_CHECKING

from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.records.importing import SelfTestReport
from saecli.workflows.inputs import computed

if TYPE_CHECKING:
    from saecli.activations.settings import CacheSettings
    from saecli.backbones.protocol import Backbone
    from saecli.sae.metrics import Evaluation
    from saecli.sae.model import Dictionary

LEAST_EXPLAINED = 0.5  # published vision dictionaries explain 0.6 and more of what they belong to
MOST_ACTIVE = 0.25  # share of the latents; a sparse dictionary has a few per cent
LEAST_ACTIVE = 1.0  # latents of a patch
BETTER = 0.02  # of explained variance: what another layer must explain more to be named
N_IMAGES = 100
_CAUSES = (
    "the usual causes are a layer that is off by one, activations that were normalised before "
    "training (--mean, --scale), the CLS token included, or other weights of the backbone"
)


def self_test(
    dictionary: "Dictionary",
    backbone: "Backbone",
    images: str,
    n_images: int | None,
    cache: "CacheSettings",
    progress: Progress,
) -> SelfTestReport:
    """Explained variance, L0 and dead latents over a user's pictures.

    The same is done at the neighbouring layers: off by one, a dictionary may still explain much.

    Raises:
        SaecliError: if no picture can be read.
    """
    layer = dictionary.identity.layer
    found, n_seen = _evaluate(dictionary, backbone, images, layer, n_images, cache, progress)
    report = SelfTestReport(
        images=images,
        n_images=n_seen,
        n_patches=found.n_patches,
        explained_variance=found.explained_variance,
        l0=found.l0,
        dead_fraction=found.dead_fraction,
    )
    for at in (layer - 1, layer + 1):
        if 0 <= at < backbone.n_blocks:
            other, _ = _evaluate(dictionary, backbone, images, at, n_images, cache, progress)
            report.elsewhere[at] = other.explained_variance
    return report


def warnings(report: SelfTestReport, n_latents: int) -> list[str]:
    """What looks wrong, each a sentence; empty where nothing does."""
    odd = []
    if not report.explained_variance >= LEAST_EXPLAINED:
        odd.append(f"it explains {report.explained_variance:.2f} of the variance")
    if report.l0 > MOST_ACTIVE * n_latents:
        odd.append(f"{report.l0:.0f} of {n_latents} latents are active on a patch")
    if report.l0 < LEAST_ACTIVE:
        odd.append(f"{report.l0:.2f} latents are active on a patch")
    elsewhere = report.elsewhere
    best = max(elsewhere, key=lambda layer: elsewhere[layer]) if elsewhere else None
    if best is not None and elsewhere[best] > report.explained_variance + BETTER:
        here = f" (and {report.explained_variance:.2f} here)" if not odd else ""
        odd.append(f"at layer {best} it explains {elsewhere[best]:.2f}{here}")
    return [f"the pairing looks wrong: {' and '.join(odd)}; {_CAUSES}"] if odd else []


def _evaluate(
    dictionary: "Dictionary",
    backbone: "Backbone",
    images: str,
    layer: int,
    n_images: int | None,
    cache: "CacheSettings",
    progress: Progress,
) -> "tuple[Evaluation, int]":
    from saecli.sae.metrics import Evaluator

    inputs = computed(backbone, images, layer, progress, cache=cache, n_images=n_images or N_IMAGES)
    evaluator = Evaluator(dictionary.to(inputs.device))
    n_seen = 0
    for _, batch in inputs.activations.batches():
        evaluator.add(batch)
        n_seen += len(batch)
    if not n_seen:
        raise SaecliError(f"no picture of {images} can be read", "give other pictures")
    return evaluator.finish(), n_seen
