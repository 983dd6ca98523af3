"""The verdict on a hypothesis, by a rule that is fixed before the experiment runs.

The hypothesis: suppressing the latents lowers the margin of A (over B). In brackets the options of
``saecli hypothesis add`` and ``saecli knockout``; all are stored with the hypothesis and are part
of its hash, with digests of the dictionary, backbone, probe and files that it names (Nosek et al.
2018, PNAS 115:2600, on why a prediction is to be fixed before its test).

*Pictures.* Those labelled A (in segmentation: whose mask shows A), else those predicted A. Pictures
that a recorded selection of the latents used before the hypothesis was stated are left out: to test
on what suggested it would be circular (Kriegeskorte et al. 2009, Nat. Neurosci. 12:535); so are,
with ``--groups``, all pictures of a group of which one was used. At least 20 must be left
(``--least-images``): with fewer the interval doesn't cover as it says.

*Margin.* logit A − logit B where B is given (``--expect``), else the log-odds of A: unlike a
probability, not flat where the probe is sure.

*Effect.* Mean over pictures of the margin after minus before, in nats; negative if the suppression
works. Its 95 % interval is a studentised bootstrap over pictures. Where pictures belong together
(frames of one film, pictures of one photographer; ``--groups``) whole groups are resampled, and it
is groups of which 20 are needed: otherwise each picture counts as news that it isn't (the cluster
bootstrap: Davison & Hinkley 1997, section 3.8).

*Controls.* Edits that have the target's norm on every patch and another direction
(``--controls``, 99 of each kind): other latents that fire as often and as strongly on the same
pictures and share no feature with the target, and isotropic random directions (see ``controls``).
Other latents also match the target in *influence*: how strongly a push along them moves random
margins of the probe; and those of one set are chosen together, so that they lower one such margin.
For a target is chosen, too. Without this the rule failed: sets chosen by attribution or detection
for permuted labels, or for another attribute, had p ≤ 0.05 in 36 of 333 experiments of the
built-in world, and in 20 of them with it (see ``influence``; error rates and power are measured by
``python -m tests.benchmarks.calibration``).

*p.* Each kind of control gives a reference distribution of effects of edits that differ from the
target's in direction alone. p = (1 + number of controls at least as low as the target) / (1 + n):
one-sided, ties count against, and never 0, since the target is one of the n + 1 arms that are
exchangeable if the hypothesis is false (Phipson & Smyth 2010, "Permutation p-values should never be
zero"; Besag & Clifford 1991, Biometrika 78:301). The larger p of the two kinds counts: the
hypothesis must beat both (an intersection-union test: Berger 1982, Technometrics 24:295). It
compares arms over the very same pictures, so groups don't enter it. α = 0.05 (``--alpha``). In a
family of m hypotheses (``--plan``) p is adjusted for all of them (see ``families``), and α / m must
be reachable: each kind needs at least ⌈m/α⌉ − 1 controls.

*Smallest effect of interest.* δ = 10 % of the mean margin before (``--smallest-effect``). An effect
that no control has is not yet one that matters. δ is measured on the same pictures as the effect,
so it is the interval of their sum, the mean of each picture's change plus 10 % of its margin
before, that must lie on one side of 0: with δ taken as known, effects of just δ were called
*supported* or *refuted* in an eighth of simulated experiments of 20 pictures each.

*Specificity.* On pictures (in segmentation: patches) without A, the same edit moves the mean margin
at most half as much as on those with A (``--most-without``). It is the mean that counts, of signed
changes: what falls in some pictures and rises in others cancels. So its interval and the mean of
the absolute changes stand beside it in the report; they decide nothing. With fewer pictures (or
groups) than an interval needs, 20 by default, nothing is known of the others: on a handful, an
edit that moves everything can look specific by chance.

The verdict is

- *supported* if the effect lies beyond −δ with 95 % confidence, p ≤ α, and specificity holds;
- *refuted* if it lies on the other side of −δ with that confidence: one as large as δ is excluded
  (the logic of an equivalence test, Lakens 2017, Soc. Psychol. Personal. Sci. 8:355, here with the
  stricter 95 % interval; a margin that clearly rises is refuted too);
- *inconclusive* otherwise: not significant is not refuted. So it is, too, where the probe does not
  favour A before the edit (there is nothing to lower), or where there is no control or there are
  too few pictures without A to compare with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from saecli.errors import SaecliError
from saecli.experiments.intervals import CONFIDENCE, RESAMPLES, Interval, mean_interval

Verdict = Literal["supported", "refuted", "inconclusive"]
Reason = Literal[
    "no_baseline_margin",
    "effect_below_smallest",
    "interval_reaches_smallest",
    "controls_do_as_much",
    "no_controls",
    "not_specific",
    "nothing_without_class",
]

TIE = 1e-6  # nats: effects closer than float32 logits can tell apart are ties
ROUNDING = 1e-12  # of ranks times m, so that p = α / m counts as reached


@dataclass(frozen=True)
class Rule:
    """Defaults of the rule, a line each; stored with the hypothesis."""

    alpha: float = 0.05  # of the family
    family: int = 1  # hypotheses tested together
    smallest_share: float = 0.10  # of the mean margin before: the smallest effect of interest
    most_without: float = 0.5  # of the effect: how much pictures without A may move
    confidence: float = CONFIDENCE  # of the interval
    resamples: int = RESAMPLES  # of the bootstrap
    least_images: int = 20  # fewer make no interval that covers as it says

    @property
    def least_controls(self) -> int:
        """Controls of each kind without which p can't reach α / m."""
        return math.ceil(round(self.family / self.alpha, 9)) - 1

    def check(self, n_images: int, n_controls: Mapping[str, int]) -> None:
        """Return if an experiment of this size can be decided.

        Args:
            n_controls: how many of each kind.

        Raises:
            SaecliError: if there are too few pictures, or too few controls of a kind.
        """
        if n_images < self.least_images:
            raise SaecliError(
                f"{n_images} pictures are left to test on, too few for an interval",
                f"give at least {self.least_images} that show the class and weren't used to "
                "choose the latents",
            )
        for kind, n in n_controls.items():
            if n < self.least_controls:
                tests = "one hypothesis needs" if self.family == 1 else f"{self.family} need"
                raise SaecliError(
                    f"{n} controls of the kind {kind.replace('_', ' ')} can't decide at "
                    f"α = {self.alpha:g}: {tests} {self.least_controls}",
                    "ask for more controls, use more pictures or fewer latents, or raise α"
                    if self.family == 1
                    else "test fewer at once, use more pictures or larger sets, or raise α",
                )


DEFAULTS = Rule()


@dataclass(frozen=True)
class Judgement:
    """The verdict with everything that it rests on; effects in nats.

    Args:
        effect, interval: mean over pictures of margin after − before.
        baseline: mean margin before.
        smallest_effect: δ, not negative.
        p_values: of each kind of control.
        p_value: the largest of them; 1 without controls.
        effect_without: mean change of the margin without A; None if there was nothing to measure.
        specific: whether that is small enough; None if there was too little to measure it on.
        reasons: what stands against *supported*, in the order of the rule.
        interval_without: of ``effect_without``; None likewise.
        absolute_without: mean absolute change without A, in which no change cancels; None likewise.
        n_without: pictures without A, or groups of them, that it is measured on.
        excess: interval of the mean of change + 10 % of the margin before: below 0 where the
            effect is larger than δ, above where it is smaller.
    """

    effect: float
    interval: Interval
    baseline: float
    smallest_effect: float
    p_values: dict[str, float]
    p_value: float
    effect_without: float | None
    specific: bool | None
    verdict: Verdict
    reasons: tuple[Reason, ...]
    interval_without: Interval | None
    absolute_without: float | None
    n_without: int
    excess: Interval


def rank_p(effect: float, controls: npt.ArrayLike) -> float:
    """One-sided p by rank: the share of controls at least as low, the effect itself counted in.

    What can't be compared counts against: a NaN, of the effect or of a control.
    """
    drawn = np.asarray(controls, dtype=np.float64)
    return float((1 + np.count_nonzero(~(drawn > effect + TIE))) / (1 + drawn.size))


def judge(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    controls: Mapping[str, npt.ArrayLike],
    without: npt.ArrayLike,
    *,
    seed: int,
    rule: Rule = DEFAULTS,
    groups: npt.ArrayLike | None = None,
    groups_without: npt.ArrayLike | None = None,
    adjusted_p: float | None = None,
) -> Judgement:
    """Apply the rule.

    Args:
        before, after: (n_images,) margins of the pictures with A.
        controls: for each kind (n_controls,) the mean effect of each control arm on them.
        without: changes of the margin on pictures (patches' means) without A; NaN entries, as
            of pictures without such patches, are left out.
        seed: of the bootstrap.
        groups: (n_images,) labels of pictures that are resampled together.
        groups_without: the same for the entries of ``without``.
        adjusted_p: the p-value adjusted for the family, which is then compared with α; without it
            p times the family's size is (Bonferroni).
    """
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    changes = second - first
    effect, baseline = float(changes.mean()), float(first.mean())
    smallest = rule.smallest_share * abs(baseline)

    def interval(values: npt.NDArray[np.float64]) -> Interval:
        return mean_interval(
            values, seed=seed, groups=groups, confidence=rule.confidence, resamples=rule.resamples
        )

    # what is left of the effect beyond δ, in which the margin's own spread counts, too
    low, high = interval(changes + rule.smallest_share * np.sign(baseline) * first)
    p_values = {kind: rank_p(effect, drawn) for kind, drawn in controls.items()}
    p_value = max(p_values.values(), default=1.0)
    elsewhere = _Elsewhere.of(without, groups_without, seed, rule)
    specific = (
        None
        if elsewhere.n < rule.least_images or elsewhere.effect is None
        else abs(elsewhere.effect) <= rule.most_without * abs(effect)
    )
    against: list[Reason] = []
    if baseline <= 0:
        against.append("no_baseline_margin")
    if low > 0:
        against.append("effect_below_smallest")
    elif high >= 0:
        against.append("interval_reaches_smallest")
    if not p_values:
        against.append("no_controls")
    elif (p_value * rule.family if adjusted_p is None else adjusted_p) > rule.alpha + ROUNDING:
        against.append("controls_do_as_much")
    if specific is None:
        against.append("nothing_without_class")
    elif not specific:
        against.append("not_specific")
    verdict: Verdict = "inconclusive"
    if not against:
        verdict = "supported"
    elif baseline > 0 and low > 0:
        verdict = "refuted"
    return Judgement(
        effect,
        interval(changes),
        baseline,
        smallest,
        p_values,
        p_value,
        elsewhere.effect,
        specific,
        verdict,
        tuple(against),
        elsewhere.interval,
        elsewhere.absolute,
        elsewhere.n,
        (low, high),
    )


@dataclass(frozen=True)
class _Elsewhere:
    """What the edit does without A: all None where there is nothing; n counts groups if any."""

    effect: float | None
    interval: Interval | None
    absolute: float | None
    n: int

    @classmethod
    def of(
        cls, without: npt.ArrayLike, groups: npt.ArrayLike | None, seed: int, rule: Rule
    ) -> _Elsewhere:
        changes = np.asarray(without, np.float64)
        known = ~np.isnan(changes)
        changes = changes[known]
        if not changes.size:
            return cls(None, None, None, 0)
        together = None if groups is None else np.asarray(groups)[known]
        interval = mean_interval(
            changes,
            seed=seed,
            groups=together,
            confidence=rule.confidence,
            resamples=rule.resamples,
        )
        n = changes.size if together is None else len(np.unique(together))
        return cls(float(changes.mean()), interval, float(np.abs(changes).mean()), n)
