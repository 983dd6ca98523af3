"""What the commands report that find latents and hand on what is known of them."""

from dataclasses import dataclass

from saecli.records.values import Exemplar


@dataclass(frozen=True)
class WrittenReport:
    """A page that was written; ``size`` is in bytes."""

    out: str
    latents: list[str]
    experiments: list[int]
    size: int
    catalog_id: str
    schema: int


@dataclass(frozen=True)
class SimilarLatent:
    """A latent like another, by ``score``; the three relations stand beside it.

    ``fires_alike`` is Pearson's r of the largest activations on each picture, ``fires_together``
    the share of the places (or pictures) on which both fire among those on which either does,
    ``decoder`` the cosine of the directions that they write; null where it can't be told.
    """

    ref: str
    label: str | None
    score: float
    fires_alike: float | None
    fires_together: float | None
    decoder: float | None
    density: float | None
    exemplars: list[Exemplar]


@dataclass(frozen=True)
class SimilarReport:
    """Latents of the same dictionary; ``together_over`` says what places those are."""

    ref: str
    label: str | None
    by: str
    image_set: str
    n_images: int
    together_over: str
    results: list[SimilarLatent]


@dataclass(frozen=True)
class ClassFigures:
    """How a latent tells pictures of a class from others; ``q`` is adjusted over the latents."""

    auroc: float
    ci: list[float]
    q: float
    share_with: float
    share_without: float


@dataclass(frozen=True)
class FoundLatent:
    """A latent that a search found; the figures are null without a profile.

    ``automatic_label`` is a labeller's that was found by its words.
    """

    ref: str
    label: str | None
    score: float
    exemplars: list[Exemplar]
    density: float | None
    mean_activation: float | None
    max_activation: float | None
    activation: float | None = None
    of_class: ClassFigures | None = None
    automatic_label: str | None = None


@dataclass(frozen=True)
class FoundReport:
    """A page of what a search found: from ``skip`` on, of ``n_found``, in order of ``sort``.

    ``query`` tells all conditions in one line; ``score_of`` what the scores are.
    """

    query: str
    results: list[FoundLatent]
    n_found: int
    skip: int
    sort: str
    score_of: str
    observations: list[int]
