from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from saecli.catalog import artifacts, profiling
from saecli.catalog.arrays import pack_arrays, pack_map, unpack_arrays, unpack_map
from saecli.catalog.images import image_ids, record_image_set
from saecli.catalog.latents import exemplar_maps, exemplars, histogram, summaries
from saecli.catalog.profiles import current_profile, get_profile, shared_profiles
from saecli.catalog.profiling import store_profile
from saecli.catalog.statistics import read_patterns, read_signature, statistics
from saecli.catalog.tables import Artifact, LatentExemplar, LatentProfile, Profile
from saecli.errors import SaecliError
from saecli.grid import CoarseMaps
from tests.catalog.content import N_IMAGES, N_LATENTS, dense_map, pictures, random_arrays, train


def store(catalog, content, dictionary=None, image_set=None, arrays=None):
    return store_profile(
        catalog,
        content.invocation,
        dictionary=dictionary or content.clip,
        image_set=image_set or content.photos,
        arrays=arrays or content.arrays,
        settings={"n_exemplars": 4},
        seconds=1.0,
    )


def test_statistics_come_back_exactly(session, content):
    found = statistics(session, content.profile)
    arrays = content.arrays
    assert found.n_patches == arrays.n_patches
    np.testing.assert_array_equal(found.n_active, arrays.n_active)
    np.testing.assert_array_equal(found.total, arrays.total)
    np.testing.assert_array_equal(found.maximum, arrays.maximum)
    np.testing.assert_array_equal(found.density, arrays.n_active / arrays.n_patches)
    alive = arrays.n_active > 0
    np.testing.assert_array_equal(found.mean[alive], arrays.total[alive] / arrays.n_active[alive])
    assert content.profile.n_alive == alive.sum() == N_LATENTS - 1


def test_figures_of_single_latents_are_those_of_all(session, content):
    everything = statistics(session, content.profile)
    for index, summary in summaries(session, content.clip, [7, 0, N_LATENTS - 1]).items():
        assert summary.ref == f"clip:{index}"
        assert summary.density == everything.density[index]
        assert summary.mean_activation == everything.mean[index]
        assert summary.max_activation == everything.maximum[index]


def test_histograms_come_back_exactly(session, content):
    found = histogram(session, content.clip, 5)
    assert found["counts"] == content.arrays.histogram[5].tolist()
    assert found["edges"] == content.arrays.edges.tolist()


@pytest.mark.parametrize("kind", ["top", "quantile", "random"])
def test_exemplars_come_back_in_order_with_their_maps(session, content, kind):
    arrays = content.arrays.exemplars[kind]
    ids = image_ids(session, content.photos)
    found = exemplars(session, content.clip, range(N_LATENTS), kind=kind)
    for index in range(N_LATENTS):
        there = np.flatnonzero(arrays.image[index] >= 0)
        maps = exemplar_maps(session, content.clip, index, kind=kind)
        assert [one.exemplar for one in maps] == found.get(index, [])
        assert [one.exemplar.image.id for one in maps] == ids[arrays.image[index, there]].tolist()
        for rank, one in zip(there, maps, strict=True):
            assert one.exemplar.patch == arrays.patch[index, rank]
            assert one.exemplar.activation == pytest.approx(arrays.activation[index, rank])
            assert one.sha256 == f"{arrays.image[index, rank]:064x}"
            expected = dense_map(arrays, index, rank)
            np.testing.assert_allclose(one.map, expected, atol=arrays.activation[index, rank] / 509)
            assert ((one.map > 0) == (expected > 0)).all()
    assert N_LATENTS - 1 not in found
    assert len(found[0]) == arrays.image.shape[1] - 1


def test_only_the_first_exemplars_are_read_on_demand(session, content):
    found = exemplars(session, content.clip, [3], top=2)
    assert len(found[3]) == 2
    assert found[3] == exemplars(session, content.clip, [3])[3][:2]


def test_coarse_maps_come_back_bit_for_bit_beside_the_signatures(catalog, content):
    maps = CoarseMaps(
        images=np.array([0, 2, 5]),
        n_cells=4,
        start=np.array([0, 2, 2, 3]),
        column=np.array([0, 11, 4], np.uint16),
        value=np.array([0.5, 2, 1.25], np.float16),
    )
    newer = store(catalog, content, arrays=replace(content.arrays, coarse=maps))
    with catalog.reading() as session:
        _, signature, got = read_patterns(session, newer)
        np.testing.assert_array_equal(signature, content.arrays.signature)
        for part in ("images", "n_cells", "start", "column", "value"):
            np.testing.assert_array_equal(getattr(got, part), getattr(maps, part))
            assert np.asarray(getattr(got, part)).dtype == np.asarray(getattr(maps, part)).dtype


def test_a_profile_without_coarse_maps_says_so(session, content):
    assert read_patterns(session, content.profile)[2] is None


def test_signatures_come_back_bit_for_bit(session, content):
    positions, signature = read_signature(session, content.profile)
    np.testing.assert_array_equal(positions, content.arrays.signature_positions)
    np.testing.assert_array_equal(signature, content.arrays.signature)
    assert (positions.dtype, signature.dtype) == (np.int64, np.float16)


def test_profiling_again_takes_the_place_of_the_older_profile(catalog, content):
    newer = store(catalog, content, arrays=random_arrays(seed=1))
    with catalog.reading() as session:
        assert current_profile(session, content.clip) == newer
        assert session.scalar(select(func.count()).select_from(Profile)) == 1
        assert set(session.scalars(select(LatentExemplar.profile_id))) == {newer.id}
        assert (
            len(session.scalars(select(Artifact.id).where(Artifact.kind == "signature")).all()) == 1
        )
        read_signature(session, newer)


def test_an_interrupted_profile_is_never_seen_and_leaves_the_older_one(
    catalog, content, monkeypatch
):
    monkeypatch.setattr(profiling, "BATCH", 10)
    plain, calls = profiling._statistics_rows, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(*args)

    monkeypatch.setattr(profiling, "_statistics_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store(catalog, content, arrays=random_arrays(seed=1))
    with catalog.reading() as session:
        assert current_profile(session, content.clip) == content.profile
        read_signature(session, content.profile)
        assert len(statistics(session, content.profile).n_active) == N_LATENTS
        assert session.scalar(select(func.count()).select_from(LatentProfile)) == N_LATENTS + 10
    monkeypatch.setattr(profiling, "_statistics_rows", plain)
    store(catalog, content, arrays=random_arrays(seed=1))
    with catalog.reading() as session:
        assert session.scalar(select(func.count()).select_from(LatentProfile)) == N_LATENTS


def test_a_run_whose_draft_another_one_displaced_ends_in_a_sentence(catalog, content, monkeypatch):
    plain, calls = profiling._statistics_rows, []

    def displaced(profile_id, *args):
        calls.append(profile_id)
        return plain(profile_id, *args)

    monkeypatch.setattr(profiling, "_statistics_rows", displaced)
    monkeypatch.setattr(profiling, "BATCH", 10)
    writing = catalog.writing

    @contextmanager
    def with_another_run_between():
        if len(calls) == 1:
            with writing() as session:
                profiling._drop(session, content.clip, content.photos, ~Profile.published)
        with writing() as session:
            yield session

    monkeypatch.setattr(catalog, "writing", with_another_run_between)
    with pytest.raises(SaecliError, match="another saecli has begun to profile 'clip'"):
        store(catalog, content, arrays=random_arrays(seed=1))
    with catalog.reading() as session:
        assert current_profile(session, content.clip) == content.profile


def test_the_newest_profile_speaks_unless_an_image_set_is_named(catalog, content):
    few = record_image_set(
        catalog, content.invocation, name="few", root="/", pictures=pictures(N_IMAGES)[::-1]
    )
    newer = store(catalog, content, image_set=few, arrays=random_arrays(seed=1))
    with catalog.reading() as session:
        assert get_profile(session, content.clip) == newer
        assert get_profile(session, content.clip, "photos") == content.profile
        with pytest.raises(
            SaecliError, match=r"'clip' .* has no profile over 'x'; run saecli profile"
        ):
            get_profile(session, content.clip, "x")


def test_two_dictionaries_share_a_profile_over_the_same_pictures_whatever_the_sets_name(
    catalog, content
):
    other = train(catalog, content.invocation, content.backbone, "other", b"other")
    with catalog.reading() as session:
        with pytest.raises(SaecliError) as caught:
            shared_profiles(session, content.clip, other)
        assert str(caught.value) == (
            "the two dictionaries were profiled on different pictures ('clip' on photos, 'other' "
            "on none); profile them on the same: saecli profile other --images photos"
        )
        assert summaries(session, other, [1])[1].density is None
        assert exemplars(session, other, [1]) == {}
        assert histogram(session, other, 1) is None
    same = record_image_set(
        catalog, content.invocation, name="again", root="/", pictures=pictures(N_IMAGES)
    )
    of_other = store(catalog, content, dictionary=other, image_set=same)
    with catalog.reading() as session:
        assert shared_profiles(session, content.clip, other) == (content.profile, of_other)


def test_a_profile_of_another_width_is_our_own_mistake(catalog, content):
    with pytest.raises(ValueError, match="25 latents profiled, the dictionary has 24"):
        store(catalog, content, arrays=random_arrays(n_latents=25))


def test_a_large_signature_lies_beside_the_catalog(catalog, content, monkeypatch):
    monkeypatch.setattr(artifacts, "INSIDE_BYTES", 100)
    noise = np.random.default_rng(0).random((N_LATENTS, 15)).astype(np.float16)
    newer = store(catalog, content, arrays=replace(content.arrays, signature=noise))
    assert any(path.is_file() for path in Path("catalog.files").rglob("*"))
    with catalog.reading() as session:
        np.testing.assert_array_equal(read_signature(session, newer)[1], noise)


@given(
    st.dictionaries(st.integers(0, 195), st.floats(0.0625, 100, width=32), min_size=1),
)
def test_maps_keep_where_a_latent_fires_and_how_much_to_a_level(active):
    patches = np.array(sorted(active), np.uint16)
    values = np.array([active[int(patch)] for patch in patches], np.float32)
    peak = float(values.max())
    packed = pack_map(patches, values, peak)
    assert len(packed) == 3 * len(active)
    dense = unpack_map(packed, 196, peak)
    assert np.flatnonzero(dense).tolist() == patches.tolist()
    # One level for what would round to none, half a level for the others.
    tolerance = np.where(values < peak / 510, peak / 255, peak / 509)
    assert (np.abs(dense[patches] - values) <= tolerance).all()


def test_named_arrays_keep_dtype_shape_and_bits():
    arrays = {
        "margin": np.array([[1.5, np.nan], [np.inf, -0.0]]),
        "class": np.arange(6, dtype=np.int16).reshape(1, 2, 3)[..., ::2],
        "none": np.zeros((0, 4), np.float32),
        "one": np.float32(2.5) * np.ones(()),
    }
    found = unpack_arrays(pack_arrays(arrays))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
