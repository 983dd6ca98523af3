"""An experiment's part of a report."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary
from saecli.catalog.dossier import Made, experiment_made, hypothesis_made
from saecli.catalog.evidence import show_experiment
from saecli.catalog.latents import summaries
from saecli.errors import SaecliError
from saecli.records import KnockoutReport, ShownTrial
from saecli.records.reading import read
from saecli.refs import parse_latent
from saecli.render.report.content import EditedLatent, ExperimentPart, Fact, Source, TrialLine
from saecli.workflows.report_tiles import latent_tiles, picture_tiles

MOST_LATENTS = 12  # of a set that are shown with pictures
OF_EACH = 4  # pictures of each
MOST_TRIALS = 12


def experiment_part(session: Session, number: int, *, whole: bool) -> ExperimentPart:
    """What a report says of an experiment.

    Args:
        session: of the catalog.
        number: of the experiment.
        whole: with the latents' and the experiment's pictures.

    Raises:
        SaecliError: if there is no such experiment, or it is unfinished.
    """
    shown = show_experiment(session, number)
    if shown.report is None:
        raise SaecliError(
            f"experiment {number} is unfinished, so there is nothing to report of it yet",
            "go on with the command that began it",
        )
    report = read(KnockoutReport, shown.report)
    dictionary = get_dictionary(session, parse_latent(shown.hypothesis.latents[0]).dictionary)
    run, stated = (
        experiment_made(session, number),
        hypothesis_made(session, shown.hypothesis.number),
    )
    sources = [source_of("run by", run)]
    if stated.command != run.command:
        sources.insert(0, source_of("stated by", stated))
    return ExperimentPart(
        number=number,
        statement=shown.hypothesis.statement,
        registered=shown.hypothesis.registered,
        tested_before=shown.hypothesis.tested_before,
        hypothesis=shown.hypothesis.number,
        verdict=shown.verdict,
        report=report,
        latents=_edited(session, dictionary, shown.hypothesis.latents) if whole else [],
        arms=shown.arms,
        trials=_trials(session, dictionary, shown.trials) if whole else [],
        n_trials=len(shown.trials),
        plan=[*_plan(shown.plan), Fact("hash", shown.hash, code=True)],
        sources=sources,
    )


def source_of(what: str, made: Made) -> Source:
    """The command behind a part of the page."""
    return Source(what, made.command, made.started, made.seed)


def _edited(session: Session, dictionary: DictionaryInfo, refs: list[str]) -> list[EditedLatent]:
    indices = [parse_latent(ref).latents[0] for ref in refs][:MOST_LATENTS]
    known = summaries(session, dictionary, indices)
    return [
        EditedLatent(
            ref=known[index].ref,
            label=known[index].label,
            largest=known[index].max_activation,
            tiles=latent_tiles(session, dictionary, index, kind="top", top=OF_EACH),
        )
        for index in indices
    ]


def _trials(
    session: Session, dictionary: DictionaryInfo, trials: list[ShownTrial]
) -> list[TrialLine]:
    """The pictures whose margin the edit moved most; those with a thumbnail, if any has one."""
    run = [
        (one, one.before, one.after)
        for one in trials
        if one.before is not None and one.after is not None and one.with_class is not None
    ]
    run.sort(key=lambda one: -abs(one[2] - one[1]))
    chosen = run[:MOST_TRIALS]
    tiles = picture_tiles(
        session, dictionary, [(one.image.id or 0, one.image.path) for one, _, _ in chosen]
    )
    return [
        TrialLine(tile, bool(one.with_class), before, after)
        for (one, before, after), tile in zip(chosen, tiles, strict=True)
    ]


def _plan(plan: Mapping[str, Any]) -> list[Fact]:
    return [
        Fact(key.replace("_", " "), words)
        for key, value in plan.items()
        if (words := _plain(value))
    ]


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items() if one is not None)
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
