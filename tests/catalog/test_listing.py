import json

import numpy as np
import pytest

from saecli.catalog.backbones import find_backbone
from saecli.catalog.dictionaries import default_name, dictionaries
from saecli.catalog.images import image_sets, record_image_set
from saecli.catalog.labels import add_label
from saecli.catalog.listing import list_all
from saecli.catalog.probes import probes
from saecli.catalog.showing import dictionary_row, show_dictionary, show_latent
from saecli.catalog.statistics import statistics
from saecli.errors import SaecliError
from saecli.records import CatalogList, as_json
from saecli.refs import parse_concept
from tests.catalog.content import N_LATENTS, backbone_row, pictures, train
from tests.catalog.test_experiments import begin, hypothesis, probe, publish


def test_an_empty_catalog_lists_nothing(empty):
    assert list_all(empty) == CatalogList([], [], [], [], [])


def test_the_list_says_what_the_tables_say(catalog, content):
    invocation = content.invocation
    with catalog.writing() as session:
        newer = backbone_row(session, invocation, "e" * 64, source="/models/newer")
        random = backbone_row(session, invocation, "f" * 64, name="random", untrained=True)
    train(catalog, invocation, newer, "second", b"second")
    train(catalog, invocation, random, "twin", b"twin", untrained=True)
    record_image_set(
        catalog,
        invocation,
        name="photos",
        root="/",
        pictures=pictures(5),
        skipped=[("a.jpg", "x"), ("b.jpg", "y")],
    )
    species = probe(catalog, content)
    number, _ = hypothesis(catalog, content, species)
    unfinished = begin(catalog, content, number)
    finished = begin(catalog, content, number)
    publish(catalog, finished)

    found = list_all(catalog)
    with catalog.reading() as session:
        assert found.dictionaries == [
            dictionary_row(info, default_name(session)) for info in dictionaries(session)
        ]
        assert [(row.name, row.n_images, row.n_skipped) for row in found.image_sets] == [
            (one.name, one.n_images, one.n_skipped) for one in image_sets(session)
        ]
        assert [(p.name, p.backbone, p.task, p.classes, p.accuracy) for p in found.probes] == [
            (p.name, p.backbone.name, p.task, list(p.classes), p.accuracy) for p in probes(session)
        ]
        source = find_backbone(session, "e" * 64).source
    assert [(row.name, row.default) for row in found.dictionaries] == [
        ("clip", True),
        ("second", False),
        ("twin", False),
    ]
    assert [type(row.untrained) for row in found.dictionaries] == [bool] * 3
    assert [(row.name, row.source) for row in found.backbones] == [("clip:tiny", source)]
    assert [row.number for row in found.experiments] == [finished] != [unfinished]
    json.dumps(as_json(found))


def test_a_latent_is_shown_with_all_that_is_known_of_it(catalog, content):
    concept = parse_concept("clip:3")
    with catalog.writing() as session:
        add_label(session, content.invocation, concept, "wing", author="me")
    number, _ = hypothesis(catalog, content, probe(catalog, content))
    experiment = begin(catalog, content, number)
    publish(catalog, experiment)
    with catalog.reading() as session:
        shown = show_latent(session, concept, n_exemplars=3)
        everything = statistics(session, content.profile)
        unlabelled = show_latent(session, parse_concept("clip:4"))
    assert (shown.ref, shown.label, shown.labels[0].text) == ("clip:3", "wing", "wing")
    assert shown.density == everything.density[3]
    assert (shown.image_set, len(shown.histogram["counts"])) == ("photos", 6)
    assert (len(shown.exemplars), len(shown.quantiles), len(shown.random_actives)) == (3, 3, 4)
    assert [row.number for row in shown.experiments] == [experiment]
    assert (unlabelled.label, unlabelled.labels, unlabelled.experiments) == (None, [], [])
    json.dumps(as_json(shown))


def test_a_dictionary_without_a_profile_is_shown_without_figures(catalog, content):
    train(catalog, content.invocation, content.backbone, "other", b"other")
    with catalog.reading() as session:
        shown = show_dictionary(session, "other")
        latent = show_latent(session, parse_concept("other:3"))
    assert (shown.latents, shown.n_dead) == ([], 0)
    assert (latent.density, latent.histogram, latent.exemplars) == (None, None, [])


@pytest.mark.parametrize("sort", ["density", "max", "mean"])
def test_latents_are_sorted_by_value_then_by_index(session, content, sort):
    shown = show_dictionary(session, "clip", sort=sort, top=10)
    found = statistics(session, content.profile)
    values = {"density": found.density, "max": found.maximum, "mean": found.mean}[sort]
    expected = sorted(range(N_LATENTS), key=lambda i: (-values[i], i))[:10]
    assert [latent.ref for latent in shown.latents] == [f"clip:{i}" for i in expected]
    assert shown.n_dead == 1
    assert shown.training[0]["step"] == 100
    assert shown.command == "saecli train --name clip"


def test_latents_come_in_order_of_index_on_demand(session):
    shown = show_dictionary(session, "clip", sort="index", top=N_LATENTS + 5)
    assert [latent.ref for latent in shown.latents] == [f"clip:{i}" for i in range(N_LATENTS)]
    assert np.isfinite([latent.mean_activation for latent in shown.latents]).all()


def test_an_unknown_order_is_wrong_usage(session):
    with pytest.raises(
        SaecliError, match=r"can't be sorted by 'size'; sort by density, "
    ) as caught:
        show_dictionary(session, "clip", sort="size")
    assert caught.value.usage
