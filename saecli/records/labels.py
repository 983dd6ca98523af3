"""What the commands on many labels report."""

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
