"""What is brought over, in which order, and what makes a row the same in both catalogs."""

from collections.abc import Mapping
from typing import Any

from saecli.catalog.merging.names import named_here, rename, rewrite, with_names
from saecli.catalog.merging.rows import Rows


def bring_all(rows: Rows) -> tuple[dict[str, int], dict[str, str]]:
    """Bring everything that is not here yet.

    Returns:
        How many rows of each kind came, and the new names of dictionaries and probes whose name
        was taken, by the old ones.
    """
    came: dict[str, int] = {}
    renamed: dict[str, str] = {}
    # No row points to a merge: what it brings keeps the invocation that made it.
    rows.identify("invocation", ["uuid"], where="t.command != 'catalog merge'")
    came["invocations"] = rows.copy("invocation")
    _end_invocations(rows)
    _identified(rows, came, "artifact", "artifacts", ["sha256"])
    _identified(rows, came, "backbone", "backbones", ["digest"])
    _identified(rows, came, "image", "images", ["sha256"])
    rows.connection.execute(
        "INSERT OR IGNORE INTO main.thumbnail SELECT n.ours, t.data FROM theirs.thumbnail t "
        "JOIN temp.numbers_image n ON n.theirs = t.image_id"
    )
    _identified(rows, came, "image_set", "image_sets", ["name", "digest"])
    for parts in ("image_set_member", "skipped_picture"):
        rows.copy_parts(parts, "image_set", "image_set_id")
    rows.identify("dictionary", ["sha256"], where="t.published")
    renamed |= {f"dictionary {old}": new for old, new in rename(rows, "dictionary").items()}
    came["dictionaries"] = rows.copy("dictionary", values=_new_name("dictionary"))
    rows.copy_parts("training_point", "dictionary", "dictionary_id")
    rows.identify(
        "latent",
        ["dictionary_id", "number"],
        where="t.dictionary_id IN (SELECT theirs FROM temp.numbers_dictionary)",
    )
    rows.copy("latent")
    _bring_profiles(rows, came)
    rows.identify("probe", ["artifact_id", "backbone_id"])
    renamed |= {f"probe {old}": new for old, new in rename(rows, "probe").items()}
    came["probes"] = rows.copy("probe", values=_new_name("probe"))
    _bring_findings(rows, came)
    _bring_experiments(rows, came)
    for table, kind in (
        ("label", "labels"),
        ("label_closure", "label_ends"),
        ("label_score", "label_scores"),
    ):
        _identified(rows, came, table, kind, ["uuid"])
    rows.connection.execute(
        "UPDATE main.meta SET default_dictionary_id = (SELECT n.ours FROM theirs.meta t "
        "JOIN temp.numbers_dictionary n ON n.theirs = t.default_dictionary_id) "
        "WHERE default_dictionary_id IS NULL"
    )
    return came, renamed


def _identified(rows: Rows, came: dict[str, int], table: str, kind: str, key: list[str]) -> None:
    rows.identify(table, key)
    came[kind] = rows.copy(table)


def _new_name(table: str) -> dict[str, str]:
    return {"name": f"(SELECT name FROM temp.names_{table} WHERE theirs = t.id)"}


def _end_invocations(rows: Rows) -> None:
    """A command that still ran when its row was brought here may have ended since."""
    rows.connection.execute(
        "UPDATE main.invocation AS o SET (settings, versions, ended, exit_code, status, problem) = "
        "(SELECT t.settings, t.versions, t.ended, t.exit_code, t.status, t.problem "
        "FROM theirs.invocation t WHERE t.uuid = o.uuid) "
        "WHERE o.status = 'running' AND o.uuid IN "
        "(SELECT uuid FROM theirs.invocation WHERE status != 'running')"
    )


def _bring_profiles(rows: Rows, came: dict[str, int]) -> None:
    """Profiles of the same pictures are kept side by side; commands read the newest."""
    rows.identify("profile", ["dictionary_id", "image_set_id", "created"], where="t.published")
    came["profiles"] = rows.copy("profile")
    for parts in ("latent_profile", "exemplar"):
        rows.copy_parts(parts, "profile", "profile_id")


def _bring_findings(rows: Rows, came: dict[str, int]) -> None:
    for table, kind, parts in (
        ("observation", "observations", "observed_latent"),
        ("selection", "selections", "selected_latent"),
        ("comparison", "comparisons", "match"),
    ):
        _identified(rows, came, table, kind, ["uuid"])
        rows.copy_parts(parts, table, f"{table}_id")
    names = named_here(rows.connection)
    rewrite(
        rows,
        "comparison",
        "settings",
        lambda told: with_names(told, names),
        rows.pairs("comparison", new=True) if names else {},
    )


def _bring_experiments(rows: Rows, came: dict[str, int]) -> None:
    _identified(rows, came, "hypothesis", "hypotheses", ["uuid"])
    rows.copy_parts("hypothesis_latent", "hypothesis", "hypothesis_id")
    _identified(rows, came, "experiment", "experiments", ["uuid"])
    for parts in ("arm", "trial"):
        rows.copy_parts(parts, "experiment", "experiment_id")
    finished = _finish(rows)
    came["experiments_finished"] = len(finished)
    names = named_here(rows.connection)
    hypotheses, experiments = (
        rows.pairs(table, new=True) | rows.pairs(table, new=False)
        for table in ("hypothesis", "experiment")
    )
    rewrite(
        rows,
        "experiment",
        "report",
        lambda told: with_names(_numbered(told, hypotheses, experiments), names),
        rows.pairs("experiment", new=True) | finished,
    )


def _finish(rows: Rows) -> dict[int, int]:
    """Go on with what is unfinished here as far as it is there; which were finished there."""
    rows.connection.execute(
        "UPDATE main.trial AS o SET figures = (SELECT t.figures FROM theirs.trial t "
        "JOIN temp.numbers_experiment n ON n.theirs = t.experiment_id "
        "WHERE n.ours = o.experiment_id AND t.position = o.position) WHERE o.figures IS NULL "
        "AND o.experiment_id IN (SELECT ours FROM temp.numbers_experiment WHERE NOT new)"
    )
    finished = dict(
        rows.connection.execute(
            "SELECT n.theirs, n.ours FROM temp.numbers_experiment n "
            "JOIN main.experiment o ON o.id = n.ours JOIN theirs.experiment t ON t.id = n.theirs "
            "WHERE NOT n.new AND o.verdict IS NULL AND t.verdict IS NOT NULL"
        )
    )
    for theirs, ours in finished.items():
        rows.connection.execute(
            "UPDATE main.experiment SET (verdict, effect, ci_low, ci_high, p_value, report) = "
            "(SELECT verdict, effect, ci_low, ci_high, p_value, report FROM theirs.experiment "
            "WHERE id = ?) WHERE id = ?",
            (theirs, ours),
        )
    return finished


def _numbered(
    report: dict[str, Any], hypotheses: Mapping[int, int], experiments: Mapping[int, int]
) -> dict[str, Any]:
    """A report with this catalog's numbers of what it names."""
    told = dict(report)
    for key, numbers in (
        ("experiment", experiments),
        ("hypothesis", hypotheses),
        ("replaces", hypotheses),
    ):
        if isinstance(told.get(key), int):
            told[key] = numbers.get(told[key], told[key])
    family = told.get("family")
    if isinstance(family, dict) and isinstance(family.get("experiments"), list):
        told["family"] = family | {
            "experiments": [experiments.get(one, one) for one in family["experiments"]]
        }
    extras = told.get("extras")
    if isinstance(extras, dict) and isinstance(extras.get("rerun_of"), int):
        told["extras"] = extras | {
            "rerun_of": experiments.get(extras["rerun_of"], extras["rerun_of"])
        }
    return told
