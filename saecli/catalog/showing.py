"""What `show` reports."""

from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import (
    DictionaryInfo,
    default_name,
    get_dictionary,
    get_latents,
    training_points,
)
from saecli.catalog.experiments import experiment_rows
from saecli.catalog.figures import latent_figures
from saecli.catalog.label_history import label_history
from saecli.catalog.labels import current_labels
from saecli.catalog.latents import exemplars, summaries
from saecli.catalog.matches import latest_matches
from saecli.catalog.profiles import current_profile
from saecli.errors import SaecliError
from saecli.records import (
    DictionaryRow,
    ShowDictionaryReport,
    ShownLatent,
    ShowReport,
)
from saecli.refs import Concept, latent_ref

SORTS = ("density", "max", "mean", "index")


def dictionary_row(info: DictionaryInfo, default: str | None) -> DictionaryRow:
    """A dictionary as a row of `list`."""
    return DictionaryRow(
        name=info.name,
        backbone=info.backbone.name,
        layer=info.layer,
        grid=[info.grid.rows, info.grid.columns],
        d_model=info.d_model,
        n_latents=info.n_latents,
        activation=info.activation,
        explained_variance=info.explained_variance,
        l0=info.l0,
        dead_fraction=info.dead_fraction,
        untrained=info.untrained,
        default=info.name == default,
    )


def show_latent(session: Session, concept: Concept, *, n_exemplars: int = 16) -> ShowReport:
    """All that is known of one latent.

    Raises:
        SaecliError: if there is no such latent.
    """
    dictionary, (latent_id, *_) = get_latents(session, concept)
    index = concept.latents[0]
    summary = summaries(session, dictionary, [index])[index]
    profile = current_profile(session, dictionary)
    chosen = {
        kind: exemplars(session, dictionary, [index], kind=kind, top=top).get(index, [])
        for kind, top in (
            ("top", n_exemplars),
            ("quantile", 64),
            ("random", 64),
            ("near_miss", 64),
        )
    }
    figures = latent_figures(session, dictionary, index)
    return ShowReport(
        ref=summary.ref,
        label=summary.label,
        labels=label_history(session, concept),
        density=summary.density,
        mean_activation=summary.mean_activation,
        max_activation=summary.max_activation,
        image_set=None if profile is None else profile.image_set.name,
        histogram=(
            None if figures is None else {"edges": figures.edges, "counts": [*figures.counts]}
        ),
        exemplars=chosen["top"],
        quantiles=chosen["quantile"],
        random_actives=chosen["random"],
        matches=latest_matches(session, concept),
        experiments=experiment_rows(session, latent_id),
        near_misses=chosen["near_miss"],
        monosemanticity=None if figures is None else figures.monosemanticity,
        together=None if figures is None else figures.together,
        n_together=None if figures is None else figures.n_together,
        enriched=None if figures is None else figures.enriched,
    )


def show_dictionary(
    session: Session, name: str, *, sort: str = "density", top: int = 20
) -> ShowDictionaryReport:
    """A dictionary, its training, and its first latents in an order.

    Args:
        session: of the catalog.
        name: of the dictionary.
        sort: `density`, `max` or `mean`, largest first (ties by index), or `index`.
        top: how many latents.

    Raises:
        SaecliError: if there is no such dictionary, or no such order.
    """
    if sort not in SORTS:
        raise SaecliError(
            f"latents can't be sorted by '{sort}'",
            f"sort by {', '.join(SORTS[:-1])} or {SORTS[-1]}",
            usage=True,
        )
    info = get_dictionary(session, name)
    profile = current_profile(session, info)
    shown: list[ShownLatent] = []
    n_dead = 0
    if profile is not None:
        import numpy as np

        from saecli.catalog.statistics import statistics

        found = statistics(session, profile)
        n_dead = int(np.count_nonzero(found.n_active == 0))
        keys = {"density": found.density, "max": found.maximum, "mean": found.mean}
        order = (
            np.argsort(-keys[sort], kind="stable") if sort in keys else np.arange(info.n_latents)
        )
        labels = current_labels(session, info)
        shown = [
            ShownLatent(
                latent_ref(info.name, index),
                labels.get(index),
                float(found.density[index]),
                float(found.mean[index]),
                float(found.maximum[index]),
            )
            for index in order[:top].tolist()
        ]
    return ShowDictionaryReport(
        dictionary=dictionary_row(info, default_name(session)),
        latents=shown,
        n_dead=n_dead,
        sort=sort,
        training=training_points(session, info),
        command=info.command,
    )
