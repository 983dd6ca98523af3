"""Controls of equal size: other latents' directions and random ones.

*Other latents* are matched to the target's in how often and how strongly they fire on the same
pictures and in how strongly a push along them moves the probe, and are no siblings of it (latents
that fire on the same pictures share the feature, and would be a second treatment). The latents of
a set are chosen together, for a random margin of the probe, as a target's are chosen for its own
(see ``influence``). *Random directions* are isotropic and the same on all patches and
pictures of an arm. Both take the target's coefficients, permuted, and the target's edit norm on
every patch, so that an arm differs from the target in direction alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from saecli.errors import SaecliError
from saecli.experiments.activity import Activity
from saecli.experiments.arms import LatentArm, PushArm
from saecli.experiments.interventions import Edit

Sets = npt.NDArray[np.int64]

# Streams of the seed, so that one kind's draws don't depend on how many the other makes.
_SETS, _ORDERS, _DIRECTIONS = 0, 1, 2


@dataclass(frozen=True)
class ControlSettings:
    """Defaults of the controls, a line each."""

    n: int = 99  # of each kind: p ≥ 0.01 (Davison & Hinkley 1997, section 4.2.5)
    sibling: float = 0.5  # signature correlation above which a latent shares the feature
    pool: int = 30  # nearest latents to each target latent that sets are drawn from
    margins: int = 32  # random ones, a backward pass each, that influence is measured on
    influence_images: int = 32  # pictures that it is measured on: enough for a ranking


DEFAULTS = ControlSettings()


def siblings(
    signature: npt.NDArray[np.floating], latents: tuple[int, ...], above: float
) -> npt.NDArray[np.bool_]:
    """(n_latents,) which latents correlate with one of the given beyond a bound, or are it.

    Args:
        signature: (n_latents, M) image-level maxima over a shared image set.
        above: Pearson's r.
    """
    rows = np.asarray(signature, dtype=np.float64)
    centred = rows - rows.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)
    near: npt.NDArray[np.bool_] = ((unit @ unit[list(latents)].T) > above).any(axis=1)
    near[list(latents)] = True
    return near


def match_latents(
    activity: Activity,
    signature: npt.NDArray[np.floating],
    latents: tuple[int, ...],
    *,
    seed: int,
    settings: ControlSettings = DEFAULTS,
    influence: npt.NDArray[np.float64] | None = None,
) -> Sets:
    """Draw sets of other latents that fire as often and as strongly and matter as much.

    Each target latent has a pool: the latents nearest to it in log density, log mean activation
    and, where it is given, log influence, each divided by its standard deviation over the latents
    that fire. A set takes one of each pool, no latent twice, and no set comes twice: a random
    one, or with influences, of a random third, the one that lowers a random margin most, a new
    margin for each set. For a single latent the pool is as large as the number of sets, since
    each latent can serve once only.

    Args:
        activity: of the experiment's pictures.
        signature: (n_latents, M), see :func:`siblings`.
        latents: the target's K.
        influence: (n_latents, R), from :func:`saecli.experiments.influence.influence`.

    Returns:
        (n, K), the i-th column matched to the i-th target latent; fewer rows than asked for
        where the pictures don't activate enough other latents.

    Raises:
        SaecliError: if no target latent fires on the pictures, or too few others to form a set.
    """
    if not activity.n_active[list(latents)].any():
        raise SaecliError(
            "the latents never fire on these pictures",
            "choose pictures that show what they respond to",
        )
    fires = activity.n_active > 0
    eligible = np.flatnonzero(fires & ~siblings(signature, latents, settings.sibling))
    if len(eligible) <= len(latents):
        raise SaecliError(
            f"the pictures activate {len(eligible)} other latents, too few to compare "
            f"{len(latents)} with",
            "use more pictures, or fewer latents",
        )
    size = max(settings.pool, settings.n if len(latents) == 1 else 2 * len(latents))
    if influence is not None and not influence.any():
        influence = None  # the edit touches none of the pictures that it was measured on
    order = _nearest(activity, fires, eligible, latents, influence)
    pools = [eligible[nearest[:size]] for nearest in order]
    rng = np.random.default_rng((seed, _SETS))
    if len(latents) == 1:
        return rng.permutation(pools[0])[: settings.n, None]
    return _draw(pools, settings.n, rng, influence)


def _nearest(
    activity: Activity,
    fires: npt.NDArray[np.bool_],
    eligible: npt.NDArray[np.int64],
    latents: tuple[int, ...],
    influence: npt.NDArray[np.float64] | None,
) -> list[npt.NDArray[np.int64]]:
    """For each target latent the eligible ones, by distance; a silent one by density alone."""
    # half a patch more than counted, so that a silent latent has a place below all others
    density = np.log((activity.n_active + 0.5) / (activity.n_patches + 1))
    strength = np.log(np.where(fires, activity.mean_activation, 1.0))
    features = [density, strength]
    if influence is not None:
        potency = np.sqrt((influence**2).mean(axis=1))
        features.append(np.log(np.maximum(potency, np.finfo(np.float64).tiny)))
    both = np.stack(features, axis=1)
    spread = both[fires].std(axis=0)
    both = both / np.where(spread > 0, spread, 1.0)
    found = []
    for latent in latents:
        gap = both[eligible] - both[latent]
        if not fires[latent]:
            gap[:, 1] = 0.0
        found.append(np.argsort((gap**2).sum(axis=1), kind="stable"))
    return found


def _draw(
    pools: list[npt.NDArray[np.int64]],
    n: int,
    rng: np.random.Generator,
    influence: npt.NDArray[np.float64] | None,
) -> Sets:
    drawn: dict[tuple[int, ...], tuple[int, ...]] = {}
    for _ in range(20 * n):  # tiny dictionaries may not hold n different sets
        if len(drawn) == n:
            break
        effect = None if influence is None else influence @ rng.normal(size=influence.shape[1])
        chosen: list[int] = []
        for pool in pools:
            left = pool[~np.isin(pool, chosen)]
            if not len(left):
                break
            if effect is not None:  # a third of them, so that few classes still give many sets
                left = rng.permutation(left)[: (len(left) + 2) // 3]
                left = left[[np.argmin(effect[left])]]
            chosen.append(int(rng.choice(left)))
        if len(chosen) == len(pools):
            drawn.setdefault(tuple(sorted(chosen)), tuple(chosen))
    return np.array(list(drawn.values()), dtype=np.int64).reshape(-1, len(pools))


def other_latents(target: LatentArm, sets: Sets, *, seed: int) -> list[PushArm]:
    """The target's edit along matched latents' directions, one arm for each set."""
    dictionary, width = target.dictionary, len(target.edit.latents)
    arms = []
    for number, chosen in enumerate(sets):
        order = np.random.default_rng((seed, _ORDERS, number)).permutation(width)
        arms.append(
            PushArm(
                "other_latents",
                number,
                target,
                dictionary.W_dec[torch.from_numpy(chosen).to(dictionary.device)],
                tuple(order.tolist()),
                {"latents": chosen.tolist(), "order": order.tolist()},
            )
        )
    return arms


def random_directions(target: LatentArm, n: int, *, seed: int) -> list[PushArm]:
    """The target's edit along isotropic directions, K for each arm."""
    dictionary, width = target.dictionary, len(target.edit.latents)
    arms = []
    for number in range(n):
        rng = np.random.default_rng((seed, _DIRECTIONS, number))
        drawn = rng.normal(size=(width, dictionary.d_model))
        unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        directions = torch.from_numpy(unit).to(dictionary.dtype).to(dictionary.device)
        arms.append(
            PushArm(
                "random_directions",
                number,
                target,
                directions,
                tuple(range(width)),
                {"seed": [seed, _DIRECTIONS, number]},
            )
        )
    return arms


def own_knockouts(target: LatentArm, sets: Sets, maxima: torch.Tensor) -> list[LatentArm]:
    """Each matched set knocked out as the target is, at its own size (not rescaled).

    Args:
        maxima: (n_latents,) the dictionary's largest activations, for ``set`` values.
    """
    arms = []
    for number, chosen in enumerate(sets):
        edit = Edit(tuple(chosen.tolist()), target.edit.value, target.edit.scope)
        reference = maxima[torch.from_numpy(chosen)].to(target.reference)
        arms.append(LatentArm("own_knockout", number, target.dictionary, edit, reference))
    return arms
