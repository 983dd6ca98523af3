"""What a profile says beyond counts comes back; older profiles are read all the same."""

from dataclasses import replace

from saecli.catalog.figures import latent_figures, pack_figures, unpack_figures
from saecli.catalog.labels import add_label
from saecli.catalog.profiling import store_profile
from saecli.catalog.showing import show_latent
from saecli.records import ClassEffect, TogetherLatent
from saecli.refs import Concept
from tests.catalog.content import N_LATENTS, random_arrays


def told(latent: int) -> dict:
    return {
        "monosemanticity": None if latent == 2 else latent / 100,
        "together": [[(latent + 1) % N_LATENTS, 0.5], [(latent + 2) % N_LATENTS, 0.25]],
        "n_together": 30,
        "enriched": [["odd", 2.5, 1.0, 4.0, 1e-9]] if latent % 2 else [],
    }


def test_figures_come_back_with_labels_beside_histograms(catalog, content):
    arrays = replace(random_arrays(seed=1), figures=[told(i) for i in range(N_LATENTS)])
    with catalog.begin("profile", []) as invocation:
        store_profile(
            catalog,
            invocation.id,
            dictionary=content.clip,
            image_set=content.photos,
            arrays=arrays,
            settings={},
            seconds=1.0,
        )
        with catalog.writing() as session:
            add_label(session, invocation.id, Concept("clip", (6,)), "water", author="me")
    with catalog.reading() as session:
        found = latent_figures(session, content.clip, 5)
        silent = latent_figures(session, content.clip, 2)
        shown = show_latent(session, Concept("clip", (5,)))
    assert found.counts == arrays.histogram[5].tolist()
    assert found.edges == arrays.edges.tolist()
    assert found.monosemanticity == 0.05
    assert found.together == [
        TogetherLatent("clip:6", "water", 0.5),
        TogetherLatent("clip:7", None, 0.25),
    ]
    assert found.enriched == [ClassEffect("odd", 2.5, [1.0, 4.0], 1e-9)]
    assert (silent.monosemanticity, silent.enriched) == (None, [])
    assert (shown.monosemanticity, shown.n_together) == (0.05, 30)
    assert (shown.together, shown.enriched) == (found.together, found.enriched)
    assert shown.histogram["counts"] == found.counts


def test_an_older_profile_says_no_more_than_it_holds(session, content):
    found = latent_figures(session, content.clip, 5)
    assert found.counts == content.arrays.histogram[5].tolist()
    assert (found.monosemanticity, found.together, found.enriched) == (None, None, None)
    shown = show_latent(session, Concept("clip", (5,)))
    assert (shown.near_misses, shown.monosemanticity, shown.enriched) == ([], None, None)


def test_bytes_hold_counts_and_figures_apart():
    counts = b"".join(n.to_bytes(8, "little") for n in (3, 0, 2**40))
    assert unpack_figures(pack_figures(counts, None), 3) == ([3, 0, 2**40], {})
    assert unpack_figures(pack_figures(counts, {"a": 1}), 3) == ([3, 0, 2**40], {"a": 1})
