"""The plan of an experiment: everything that decides it, stored before it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from saecli.catalog.hypotheses import HypothesisInfo
from saecli.errors import SaecliError
from saecli.experiments.controls import ControlSettings
from saecli.experiments.interventions import Value
from saecli.experiments.verdicts import Rule
from saecli.records import as_json
from saecli.refs import Concept

DIGESTS = "digests"  # beside the plan: of what it names, see Trial.digests


@dataclass(frozen=True)
class Plan:
    """Everything that decides an experiment; stored with the hypothesis before it runs.

    Attributes:
        concept: the latents, of one dictionary.
        images: by any name that ``--images`` takes.
        probe: whose margin is measured.
        class_name: A, whose margin is expected to fall.
        expect: B, in whose favour; None for the log-odds of A.
        value: what the latents are set to.
        scope: where.
        doses: further values, each tried in an arm of its own.
        controls: how many of each kind, and how they are chosen.
        rule: of the verdict: α, smallest effect of interest, specificity, least pictures,
            hypotheses tested together.
        seed: of controls, intervals and the choice of pictures without A.
        masks: folder of masks (segmentation); None: beside the pictures, else predicted.
        twins: folder of counterfactual twins, or None.
        groups: CSV (``file,group``) of pictures that are resampled together, or None.
        n_images: only so many of the set's pictures, or None.
        profile: the image set over which maxima (``set:C``), means and the siblings that make no
            control are taken; None: the newest profile's.
    """

    concept: Concept
    images: str
    probe: str
    class_name: str
    expect: str | None = None
    value: str = "ablate"
    scope: str = "active"
    doses: tuple[str, ...] = ()
    controls: ControlSettings = field(default_factory=ControlSettings)
    rule: Rule = field(default_factory=Rule)
    seed: int = 0
    masks: Path | None = None
    twins: Path | None = None
    groups: Path | None = None
    n_images: int | None = None
    profile: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values; :meth:`from_json` reads them."""
        told: dict[str, Any] = as_json(self)
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Plan":
        """Read what :meth:`as_json` gave; digests stored beside it are passed over.

        Raises:
            SaecliError: if another version of saecli stored it in another form.
        """
        known = {one.name for one in fields(cls)}
        try:
            if set(told) - known - {DIGESTS}:
                raise TypeError
            values = {name: told[name] for name in known & set(told)}
            concept = values["concept"]
            values["concept"] = Concept(concept["dictionary"], tuple(concept["latents"]))
            values["doses"] = tuple(values.get("doses", ()))
            values["controls"] = ControlSettings(**values["controls"])
            values["rule"] = Rule(**values["rule"])
            for name in ("masks", "twins", "groups"):
                values[name] = Path(values[name]) if values.get(name) else None
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise SaecliError(
                "the plan was stored by another version of saecli in another form",
                "state it anew with saecli hypothesis add",
            ) from error

    def resolved(self, profile: str) -> "Plan":
        """The same with whole paths and the value's one spelling, so that it holds anywhere.

        Args:
            profile: the image set of the profile that it is run with.
        """
        given = Path(self.images).expanduser()
        return replace(
            self,
            images=str(given.resolve()) if given.exists() else self.images,
            value=str(Value.parse(self.value)),
            doses=tuple(str(Value.parse(dose)) for dose in self.doses),
            masks=_whole(self.masks),
            twins=_whole(self.twins),
            groups=_whole(self.groups),
            profile=profile,
        )

    @property
    def statement(self) -> str:
        """The hypothesis in words."""
        favour = f" in favour of {self.expect}" if self.expect else ""
        edit = Value.parse(self.value).of(str(self.concept))
        return f"{edit} lowers the prediction of {self.class_name}{favour}"


def plan_of(stated: HypothesisInfo) -> Plan:
    """The plan that a hypothesis fixes, by the names of now.

    What a merge or a new training renamed is meant still; digests say whether it is the same.

    Raises:
        SaecliError: if another version of saecli stored it in another form.
    """
    return replace(Plan.from_json(stated.plan), concept=stated.concept, probe=stated.probe)


def _whole(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().resolve()
