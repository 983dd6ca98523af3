"""What the arms and doses of an experiment report, and many experiments judged together."""

from dataclasses import dataclass
from typing import Any

from saecli.records.evidence import KnockoutReport


@dataclass(frozen=True)
class ProtocolArm:
    """What one way of choosing what to suppress changed, as shares of patches.

    ``arm`` is ``random_vector``, ``random_feature``, ``automatic`` or ``manual``; ``n`` how many
    edits the figures are of.
    """

    arm: str
    n: int
    target: float | None
    other: float | None


@dataclass(frozen=True)
class ProtocolClass:
    class_: str
    arms: list[ProtocolArm]


@dataclass(frozen=True)
class Protocol:
    """The paper's segmentation table: patches changed inside a class and elsewhere."""

    classes: list[ProtocolClass]
    micro: list[ProtocolArm]
    macro: list[ProtocolArm]


@dataclass(frozen=True)
class FamilyReport:
    """Hypotheses tested together, in the order of the plan; each has its place in ``family``."""

    plan: str
    size: int
    alpha: float
    controls: int
    verdicts: dict[str, int]
    experiments: list[KnockoutReport]
    protocol: Protocol | None
    choices: list[dict[str, Any]]
