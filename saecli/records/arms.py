"""What the arms of an experiment report, beside the controls that its verdict rests on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ArmReport:
    """One kind of edit: ``n`` arms of it, their mean effect in nats and their shares.

    ``ci``, ``flipped_ci`` and ``changed_ci`` (of the shares) are over pictures, and null where the
    kind has several arms; ``meaning`` says in a sentence what it is there for.
    """

    kind: str
    meaning: str
    n: int
    effect: float
    ci: list[float] | None
    flipped: dict[str, float | None]
    changed: dict[str, float | None] | None
    flipped_ci: dict[str, list[float] | None] | None = None
    changed_ci: dict[str, list[float] | None] | None = None


@dataclass(frozen=True)
class PushReport:
    """Random directions of a dose's size; ``enough``: one moves the smallest effect of interest."""

    n: int
    mean: float
    effects: list[float]
    enough: bool
    from_class: float | None
    changed: dict[str, float | None] | None


@dataclass(frozen=True)
class DoseReport:
    value: str
    amount: float
    effect: float
    ci: list[float]
    flipped: dict[str, float | None]
    changed: dict[str, float | None] | None
    random_directions: PushReport
    flipped_ci: dict[str, list[float] | None] | None = None
    changed_ci: dict[str, list[float] | None] | None = None


@dataclass(frozen=True)
class FamilyPlace:
    """An experiment's place among those judged together, by their numbers.

    ``holm_p`` decides; ``bh_p`` (Benjamini and Hochberg) stands beside it.
    """

    size: int
    experiments: list[int]
    holm_p: float
    bh_p: float
