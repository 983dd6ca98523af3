import hashlib

import numpy as np
import pytest

from saecli.catalog.artifacts import store_artifact
from saecli.catalog.experiments import (
    begin_experiment,
    earlier_on_pictures,
    experiment_rows,
    get_experiment,
    publish_experiment,
)
from saecli.catalog.hypotheses import add_hypothesis, get_hypothesis
from saecli.catalog.images import image_ids
from saecli.catalog.label_history import label_history
from saecli.catalog.labels import add_label, close_label
from saecli.catalog.probes import add_probe, find_probe, get_probe, probes, probes_for, read_probe
from saecli.catalog.trials import add_trials, read_trials
from saecli.errors import SaecliError
from saecli.refs import parse_concept
from tests.catalog.content import backbone_row

PLAN = {"class": "blue jay", "value": "ablate", "alpha": 0.05}
ARMS = [("target", {"latents": [3, 5]}), ("zero", {}), ("random_direction", {"seed": 1})]


def probe(catalog, content, name="species", data=b"weights", **changes):
    with catalog.writing() as session:
        values = {
            "backbone": content.backbone,
            "task": "classification",
            "classes": ["blue jay", "nutcracker"],
            "artifact": store_artifact(session, content.invocation, data, "probe"),
            "settings": {"l2": 1.0},
            "n_train": 100,
            "n_test": 50,
            "accuracy": 0.9,
        }
        return add_probe(session, content.invocation, name=name, **{**values, **changes})


def hypothesis(catalog, content, species, plan=PLAN, **changes):
    with catalog.writing() as session:
        return add_hypothesis(
            session,
            content.invocation,
            statement="it makes it a blue jay",
            concept=parse_concept("clip:3+5"),
            probe=species,
            plan=plan,
            registered=True,
            **changes,
        )


def begin(catalog, content, number):
    with catalog.writing() as session:
        ids = image_ids(session, content.photos)[:4].tolist()
        return begin_experiment(
            session, content.invocation, hypothesis=number, seed=7, image_ids=ids, arms=ARMS
        )


def publish(catalog, experiment, verdict="supported"):
    with catalog.writing() as session:
        publish_experiment(
            session,
            experiment,
            verdict=verdict,
            effect=-2.5,
            ci=(-3.0, -2.0),
            p_value=0.01,
            report={"effect": -2.5},
        )


def test_a_probe_comes_back_whole(catalog, content):
    added = probe(catalog, content)
    with catalog.reading() as session:
        assert get_probe(session, "species") == added
        assert added.classes == ("blue jay", "nutcracker")
        assert (added.accuracy, added.mean_iou, added.settings) == (0.9, None, {"l2": 1.0})
        assert read_probe(session, added) == b"weights"
        assert find_probe(session, "x") is None
        with pytest.raises(SaecliError, match=r"no probe 'specis' .*, which has species; name one"):
            get_probe(session, "specis")


def test_a_backbones_probes_are_listed_with_its_default_first(catalog, content):
    first, second = probe(catalog, content), probe(catalog, content, "a")
    with catalog.writing() as session:
        other = backbone_row(session, content.invocation, "e" * 64)
    elsewhere = probe(catalog, content, "b", backbone=other)
    with catalog.reading() as session:
        assert probes_for(session, content.backbone) == [first, second]
        assert probes(session) == [first, second, elsewhere]


def test_a_probe_is_replaced_only_on_demand_and_never_under_an_experiment(catalog, content):
    probe(catalog, content)
    with pytest.raises(SaecliError, match="has a probe 'species' already"):
        probe(catalog, content)
    newer = probe(catalog, content, data=b"newer", replace=True)
    with catalog.reading() as session:
        assert read_probe(session, get_probe(session, "species")) == b"newer"
    hypothesis(catalog, content, newer)
    with pytest.raises(SaecliError, match="experiments rest on the probe 'species'"):
        probe(catalog, content, replace=True)


def test_a_hypothesis_is_committed_with_its_plan_and_a_hash_of_all_it_names(catalog, content):
    species = probe(catalog, content)
    number, digest = hypothesis(catalog, content, species)
    same, same_digest = hypothesis(catalog, content, species, dict(reversed(PLAN.items())))
    _, other_digest = hypothesis(catalog, content, species, {**PLAN, "alpha": 0.01}, replaces=same)
    assert len(digest) == len(hashlib.sha256().hexdigest())
    assert digest == same_digest != other_digest
    with catalog.reading() as session:
        found = get_hypothesis(session, number)
        assert get_hypothesis(session, same + 1).replaces == same
        with pytest.raises(SaecliError, match="no hypothesis 99"):
            get_hypothesis(session, 99)
    assert (str(found.concept), found.probe, found.plan) == ("clip:3+5", "species", PLAN)
    assert (found.hash, found.registered, found.replaces) == (digest, True, None)


def test_an_experiment_keeps_every_trial_and_can_be_resumed(catalog, content):
    number, _ = hypothesis(catalog, content, probe(catalog, content))
    experiment = begin(catalog, content, number)
    rng = np.random.default_rng(0)
    figures = {"margin": rng.random(3), "class": np.array([0, 1, 1], np.int16)}
    with catalog.writing() as session:
        add_trials(session, experiment, [(0, figures), (2, figures)])
    with catalog.reading() as session:
        trials = read_trials(session, experiment)
        assert [trial.position for trial in trials if trial.figures is None] == [1, 3]
        ids = image_ids(session, content.photos)[:4].tolist()
        assert [trial.image_id for trial in trials] == ids
        np.testing.assert_array_equal(trials[2].figures["margin"], figures["margin"])
        assert trials[2].figures["class"].dtype == np.int16
        assert experiment_rows(session) == []
        assert get_experiment(session, experiment).verdict is None


def test_a_finished_experiment_is_listed_with_its_latents(catalog, content):
    number, _ = hypothesis(catalog, content, probe(catalog, content))
    experiment = begin(catalog, content, number)
    publish(catalog, experiment)
    with catalog.reading() as session:
        (row,) = experiment_rows(session)
        assert (row.number, row.hypothesis, row.verdict) == (experiment, number, "supported")
        found = get_experiment(session, experiment)
        with pytest.raises(SaecliError, match="no experiment:99"):
            get_experiment(session, 99)
    assert (found.seed, found.arms, found.report) == (7, tuple(ARMS), {"effect": -2.5})
    assert found.hypothesis.number == number


def test_what_was_judged_while_an_experiment_stood_still_counts_as_earlier(catalog, content):
    species = probe(catalog, content)
    about = PLAN | {"class_name": "blue jay"}
    numbers = [hypothesis(catalog, content, species, about | {"seed": i})[0] for i in range(2)]
    first, second = (begin(catalog, content, number) for number in numbers)

    def counted(experiment):
        with catalog.reading() as session:
            ids = image_ids(session, content.photos)[:1].tolist()
            return earlier_on_pictures(
                session, experiment, probe=species.id, class_name="blue jay", image_ids=ids
            )

    assert counted(first) == counted(second) == 0
    publish(catalog, second)
    assert counted(first) == 1, "begun later, judged sooner"
    assert counted(second) == 0, "itself is no other"
    publish(catalog, first)
    assert counted(second) == 1


def test_an_experiment_can_refute_a_label(catalog, content):
    number, _ = hypothesis(catalog, content, probe(catalog, content))
    experiment = begin(catalog, content, number)
    publish(catalog, experiment, "refuted")
    concept = parse_concept("clip:3")
    with catalog.writing() as session:
        add_label(session, content.invocation, concept, "blue wing", author="me")
        with pytest.raises(SaecliError, match="no experiment:99"):
            close_label(
                session,
                content.invocation,
                concept,
                status="refuted",
                author="me",
                experiment=99,
            )
        close_label(
            session,
            content.invocation,
            concept,
            status="refuted",
            author="me",
            experiment=experiment,
        )
    with catalog.reading() as session:
        assert [row.status for row in label_history(session, concept)] == ["refuted"]
