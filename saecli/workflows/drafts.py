"""The catalog's side of training: drafts, the figures of a run under way, publishing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from saecli.catalog.artifacts import store_artifact
from saecli.catalog.backbones import BackboneInfo
from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.training import (
    add_training_points,
    begin_dictionary,
    drop_draft,
    publish_dictionary,
)
from saecli.workflows.inputs import Inputs
from saecli.workflows.mirrors import Mirror

if TYPE_CHECKING:
    from saecli.sae.run import Point
    from saecli.sae.settings import TrainSettings
    from saecli.sae.trainer import TrainResult


def begin_drafts(
    catalog: Catalog,
    invocation: Invocation,
    dictionaries: Mapping[str, "TrainSettings"],
    backbone: BackboneInfo,
    inputs: Inputs,
    details: Mapping[str, Any],
    *,
    resume: bool,
) -> list[int]:
    """Drafts of dictionaries by name, all in one transaction; ``details`` join the settings."""
    from saecli.sae.objectives import OBJECTIVES
    from saecli.sae.settings import n_latents_of

    with catalog.writing() as session:
        return [
            begin_dictionary(
                session,
                invocation.id,
                name=name,
                backbone=backbone,
                layer=inputs.layer,
                n_latents=n_latents_of(settings.latents, backbone.d_model),
                activation=OBJECTIVES[settings.objective].activation,
                settings=asdict(settings) | dict(details),
                untrained=backbone.untrained,
                image_set=inputs.pictures.spec,
                resume=resume,
            )
            for name, settings in dictionaries.items()
        ]


def points_writer(
    catalog: Catalog, drafts: Sequence[int], names: Sequence[str], mirrors: Sequence[Mirror]
) -> "Callable[[Point], None]":
    """Notes figures in the catalog, then in what mirrors it."""

    def write(point: "Point") -> None:
        if point.figures is None:
            return
        figures = asdict(point.figures)
        with catalog.writing() as session:
            add_training_points(session, drafts[point.member], [figures])
        for mirror in mirrors:
            mirror.add(names[point.member], figures)

    return write


def publish(
    catalog: Catalog,
    invocation: Invocation,
    drafts: Sequence[int],
    results: "Sequence[TrainResult | str]",
) -> list[DictionaryInfo]:
    """Make those that were trained to the end visible, all at once, and drop the others' drafts."""
    from saecli.sae.checkpoints import to_bytes

    published = []
    with catalog.writing() as session:
        for draft, result in zip(drafts, results, strict=True):
            if isinstance(result, str):
                drop_draft(session, draft)
                continue
            plan = asdict(result.plan)
            if len(result.rates) > 1:
                plan["rates"] = [list(rate) for rate in result.rates]
            checkpoint = store_artifact(
                session, invocation.id, to_bytes(result.dictionary), "checkpoint"
            )
            published.append(
                publish_dictionary(
                    session,
                    draft,
                    checkpoint=checkpoint,
                    explained_variance=result.evaluation.explained_variance,
                    l0=result.evaluation.l0,
                    dead_fraction=result.dead_fraction,
                    patches_seen=result.patches_seen,
                    seconds=result.seconds,
                    plan=plan,
                )
            )
    return published
