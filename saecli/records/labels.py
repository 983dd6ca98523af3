"""What the commands on many labels, and on two catalogs, report."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LabelsExportReport:
    """Labels written to a file, with their history unless only current ones were asked for."""

    out: str
    format: str
    n_labels: int
    dictionaries: list[str]


@dataclass(frozen=True)
class StandingLabel:
    """One of several labels that hold for a latent."""

    number: int
    text: str
    author: str


@dataclass(frozen=True)
class LabelConflict:
    """A latent for which people's labels with different words hold."""

    ref: str
    labels: list[StandingLabel]


@dataclass(frozen=True)
class SkippedRow:
    """A row that was not taken, by its line in the file, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class LabelsImportReport:
    """What came of a file's rows: ``n_added`` and ``n_known`` labels, ``n_closed`` ends of labels.

    ``conflicts`` are kept: each of the labels holds until a newer one settles it.
    """

    file: str
    n_rows: int
    n_added: int
    n_known: int
    n_closed: int
    conflicts: list[LabelConflict] = field(default_factory=list)
    skipped: list[SkippedRow] = field(default_factory=list)


@dataclass(frozen=True)
class MergeReport:
    """What came from another catalog.

    ``added`` counts rows by kind; ``renamed`` tells the new name of what clashed (`dictionary
    clip`: `clip-2`); ``conflicts`` are latents for which several people's labels hold.
    """

    catalog_id: str
    other: str
    other_id: str
    added: dict[str, int]
    n_files: int
    renamed: dict[str, str] = field(default_factory=dict)
    conflicts: list[LabelConflict] = field(default_factory=list)


@dataclass(frozen=True)
class AutomaticLabel:
    """A word that an automatic labeller found for a latent.

    ``confidence`` is its correlation with what the latent does (no probability), ``runner_up`` the
    next best word with its own.
    """

    ref: str
    label: str
    confidence: float
    runner_up: str | None
    runner_up_confidence: float | None


@dataclass(frozen=True)
class AutomaticLabelsReport:
    """What an automatic labeller said of a dictionary; latents without a good word get none."""

    dictionary: str
    labeller: str
    clip: str
    vocabulary: str
    n_words: int
    n_images: int
    n_labelled: int
    n_unchanged: int
    n_without: int
    labels: list[AutomaticLabel]


@dataclass(frozen=True)
class LabelScoreRow:
    """How well a label tells the pictures on which its latent fires from others (AUROC).

    ``auroc`` is over all held-out pictures with its 95 % interval, ``random`` and ``near_miss``
    against these negatives alone; all are null where there are too few, and ``reason`` says so.
    """

    ref: str
    label: str
    author: str
    kind: str
    auroc: float | None
    ci: list[float] | None
    random: float | None
    near_miss: float | None
    n_positive: int
    n_negative: int
    reason: str | None


@dataclass(frozen=True)
class LabelScoresReport:
    judge: str
    clip: str
    n_scored: int
    scores: list[LabelScoreRow]
