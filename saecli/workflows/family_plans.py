"""Plan files: many hypotheses in TOML, what they share first, lists standing for each of theirs.

    images = "fieldguide:test"
    probe = "clip-species"

    [[hypothesis]]
    latents = ["clip:282", "clip:282+232+201"]  # two hypotheses
    class = "blue jay"
    expect = "Clark's nutcracker"

    [[hypothesis]]
    latents = { auto = 1, dictionary = "clip", positives = "jays", negatives = "others" }
    class = "blue jay"

Keys are those of `saecli knockout`'s options. Paths are as on the command line.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from saecli.errors import SaecliError, one_of
from saecli.experiments.controls import ControlSettings
from saecli.experiments.doses import check_doses, parse_doses
from saecli.experiments.families import check_controls
from saecli.experiments.interventions import Value
from saecli.experiments.verdicts import Rule
from saecli.refs import Concept, parse_concept
from saecli.workflows.plans import Plan

ENTRIES = "hypothesis"
TEXTS = ("images", "probe", "class", "expect", "value", "scope")  # lists of them make a grid
PATHS = ("masks", "twins", "groups")
COUNTS = {"controls": 1, "n_images": 1, "seed": 0, "least_images": 2}  # with the least allowed
SHARES = {  # what the rule calls them, and their least and largest
    "alpha": ("alpha", 0.0001, 0.5),
    "smallest_effect": ("smallest_share", 0, 10),
    "most_without": ("most_without", 0, 10),
}
KEYS = ("latents", "doses", *TEXTS, *PATHS, *COUNTS, *SHARES)
NEEDED = ("latents", "images", "probe", "class")
CHOICE_TEXTS = ("dictionary", "images", "masks", "positives", "negatives")


@dataclass(frozen=True)
class Choice:
    """Latents that are chosen by their F1 on pictures of their own, as `saecli detect` does.

    Args:
        n: how many.
        dictionary: of which.
        images, masks: pictures with masks of the class; or
        positives, negatives: pictures with it and without.
        n_images: only so many of them.
    """

    n: int
    dictionary: str
    images: str | None = None
    masks: Path | None = None
    positives: str | None = None
    negatives: str | None = None
    n_images: int | None = None


@dataclass(frozen=True)
class Entry:
    """One hypothesis of a plan file.

    Args:
        number: of its `[[hypothesis]]`, from 1.
        latents: named, or how they are to be chosen.
        plan: all else; its concept is a placeholder while the latents aren't chosen.
    """

    number: int
    latents: Concept | Choice
    plan: Plan

    def planned(self, concept: Concept) -> Plan:
        """The plan with its latents."""
        return replace(self.plan, concept=concept)


def read_family(path: Path) -> list[Entry]:
    """Read a plan file.

    Every plan's rule knows how many hypotheses the file holds; where it says nothing of controls,
    each gets as many as that takes.

    Raises:
        SaecliError: naming the entry and the key that is wrong.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SaecliError(
            f"'{path}' can't be read ({error.strerror})", "name a plan file", usage=True
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SaecliError(
            f"'{path}' is no TOML: {error}", "mend that place in the file", usage=True
        ) from error
    entries = told.pop(ENTRIES, [])
    if not isinstance(entries, list) or not entries or not all(map(_is_table, entries)):
        raise SaecliError(
            f"'{path}' holds no hypothesis",
            f"begin each with a line [[{ENTRIES}]]",
            usage=True,
        )
    shared = _checked(told, f"'{path}'")
    for number, entry in enumerate(entries, 1):
        if "alpha" in entry:
            raise SaecliError(
                f"hypothesis {number} of '{path}' has an 'alpha' of its own",
                f"set it above the first [[{ENTRIES}]]: it is the family's",
                usage=True,
            )
    expanded = [
        (number, one)
        for number, entry in enumerate(entries, 1)
        for one in _grid(shared | _checked(entry, f"hypothesis {number} of '{path}'"))
    ]
    return _unique([_entry(number, one, len(expanded), path) for number, one in expanded], path)


def where(entry: Entry, path: Path, error: SaecliError) -> SaecliError:
    """The same error, naming the entry that it is about."""
    place = f"hypothesis {entry.number} of '{path}'"
    return SaecliError(f"{place}: {error.problem}", error.remedy, usage=error.usage)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _wrong(place: str, key: str, wanted: str, value: object) -> SaecliError:
    return SaecliError(f"in {place} '{key}' is {value!r}", f"give {wanted} for '{key}'", usage=True)


def _checked(told: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The same if every key is known and every value of its kind."""
    for key, value in told.items():
        if key not in KEYS:
            raise SaecliError(
                f"{place} has the key '{key}', which no plan has",
                f"write {one_of(KEYS, key, most=len(KEYS))}",
                usage=True,
            )
        if key in TEXTS:
            _check(_texts(value) or _text(value), place, key, "text or a list of texts", value)
        elif key in PATHS:
            _check(_text(value), place, key, "a path", value)
        elif key in COUNTS:
            least = COUNTS[key]
            _check(_count(value, least), place, key, f"a whole number from {least} on", value)
        elif key in SHARES:
            _, low, high = SHARES[key]
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            wanted = f"a number from {low:g} to {high:g}"
            _check(number and low <= value <= high, place, key, wanted, value)
        elif key == "doses":
            _check(_texts(value) or _text(value), place, key, "text or a list of texts", value)
        else:
            for one in value if isinstance(value, list) and value else [value]:
                if _is_table(one):
                    _check_choice(one, place)
                else:
                    wanted = 'references as "clip:12+40", or { auto = 1, dictionary = … }'
                    _check(_text(one), place, key, wanted, value)
    return dict(told)


def _check(holds: bool, place: str, key: str, wanted: str, value: object) -> None:
    if not holds:
        raise _wrong(place, key, wanted, value)


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_text, value))


def _count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_choice(told: Mapping[str, Any], place: str) -> None:
    known = ("auto", "n_images", *CHOICE_TEXTS)
    for key, value in told.items():
        name = f"latents.{key}"
        if key not in known:
            raise SaecliError(
                f"in {place} 'latents' has the key '{key}'",
                f"write {one_of(known, key, most=len(known))}",
                usage=True,
            )
        if key in CHOICE_TEXTS:
            _check(_text(value), place, name, "text", value)
        else:
            _check(_count(value, 1), place, name, "a whole number from 1 on", value)
    by_folders = "positives" in told and "negatives" in told
    if "auto" not in told or "dictionary" not in told or by_folders == ("images" in told):
        raise SaecliError(
            f"in {place} 'latents' does not say on which pictures they are chosen",
            "write { auto = 1, dictionary = NAME, images = SET, masks = DIR }, or positives and "
            "negatives instead of images",
            usage=True,
        )


def _grid(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One for each combination of what is given as a list."""
    lists = [key for key in ("latents", *TEXTS) if isinstance(told.get(key), list)]
    return [
        dict(told) | dict(zip(lists, combination, strict=True))
        for combination in product(*(told[key] for key in lists))
    ]


def _entry(number: int, told: Mapping[str, Any], size: int, path: Path) -> Entry:
    for key in NEEDED:
        if key not in told:
            raise SaecliError(
                f"hypothesis {number} of '{path}' has no '{key}'",
                f"add it there, or above the first [[{ENTRIES}]] for all",
                usage=True,
            )
    latents = told["latents"]
    chosen: Concept | Choice
    try:
        if isinstance(latents, str):
            chosen = concept = parse_concept(latents)
        else:
            rest = {key: value for key, value in latents.items() if key not in ("auto", "masks")}
            masks = Path(latents["masks"]) if "masks" in latents else None
            chosen = Choice(n=latents["auto"], masks=masks, **rest)
            concept = Concept(chosen.dictionary, ())
        of_rule = {name: told[key] for key, (name, _, _) in SHARES.items() if key in told}
        rule = replace(Rule(), family=size, **of_rule, **_of(told, ("least_images",)))
        n = told.get("controls", max(ControlSettings().n, rule.least_controls))
        check_controls(rule, n)
        doses = told.get("doses", ())
        plan = Plan(
            concept,
            told["images"],
            told["probe"],
            told["class"],
            controls=ControlSettings(n=n),
            rule=rule,
            value=str(Value.parse(told.get("value", "ablate"))),
            doses=parse_doses(doses) if isinstance(doses, str) else _doses(doses),
            **_of(told, ("expect", "scope", "seed", "n_images")),
            **_paths(told),
        )
    except SaecliError as error:
        raise SaecliError(
            f"hypothesis {number} of '{path}': {error.problem}", error.remedy, usage=True
        ) from error
    return Entry(number, chosen, plan)


def _of(told: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: told[key] for key in keys if key in told}


def _paths(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: Path(told[key]) for key in PATHS if key in told}


def _doses(texts: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return check_doses(texts) if texts else ()


def _unique(entries: list[Entry], path: Path) -> list[Entry]:
    """The same if no two are one: a hypothesis that counts twice is corrected for twice."""
    seen: dict[str, int] = {}
    for entry in entries:
        key = repr((entry.latents, entry.plan))
        if key in seen:
            raise SaecliError(
                f"hypotheses {seen[key]} and {entry.number} of '{path}' are the same",
                "leave one out",
                usage=True,
            )
        seen[key] = entry.number
    return entries
