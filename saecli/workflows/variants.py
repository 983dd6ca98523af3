"""A sweep: several values of some settings, each combination a dictionary with its own name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from saecli.errors import SaecliError
from saecli.refs import check_dictionary_name

if TYPE_CHECKING:
    from saecli.sae.settings import TrainSettings

MOST = 64  # dictionaries in one sweep: their weights are all in memory
SPARSITY = ("k", "l1", "l0")


@dataclass(frozen=True)
class Variant:
    """One dictionary of a job: what follows its name, and its settings."""

    suffix: str
    settings: "TrainSettings"

    def name(self, base: str) -> str:
        """Its name, from the job's.

        Raises:
            SaecliError: if that can't name a dictionary.
        """
        return check_dictionary_name(base + self.suffix)


def variants(
    settings: "TrainSettings", choices: Mapping[str, Sequence[Any]]
) -> tuple[Variant, ...]:
    """All combinations of the choices; what is varied is in the names, as in `-k16-lr0.001`.

    Args:
        settings: of everything that isn't chosen.
        choices: by the name of a setting, in the order of the names' parts; those with one value
            leave no trace in the name.

    Raises:
        SaecliError: if a value comes twice, makes no difference to the objective, or there are
            too many combinations.
    """
    for name, values in choices.items():
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise SaecliError(f"--{name} has {twice[0]} twice", "name each value once", usage=True)
        if len(values) > 1:
            _check_matters(name, settings.objective)
    combinations = list(product(*choices.values()))
    if len(combinations) > MOST:
        raise SaecliError(
            f"these are {len(combinations)} dictionaries, and one sweep trains {MOST} at most",
            "give fewer values, or train them by several commands",
            usage=True,
        )
    varied = {name for name, values in choices.items() if len(values) > 1}
    found = []
    for combination in combinations:
        chosen = dict(zip(choices, combination, strict=True))
        suffix = "".join(_part(name, value) for name, value in chosen.items() if name in varied)
        found.append(Variant(suffix, replace(settings, **chosen)))
    return tuple(found)


def _check_matters(name: str, objective: str) -> None:
    from saecli.sae.objectives import OBJECTIVES

    sparsity = OBJECTIVES[objective].sparsity
    if name in SPARSITY and name not in sparsity:
        raise SaecliError(
            f"several values of --{name} make no difference to {objective}",
            f"vary --{' or --'.join(sparsity)}, or choose another --objective",
            usage=True,
        )


def _part(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f"-{name}{value:g}".replace("+", "")  # 1e+30
    return f"-{value}" if name == "latents" else f"-{name}{value}"
