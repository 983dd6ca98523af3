"""What a comparison stands on: signatures of three dictionaries over the very same pictures."""

from dataclasses import replace

import numpy as np
import pytest

from saecli.catalog.creation import create_catalog
from saecli.catalog.images import record_image_set
from saecli.catalog.opening import open_catalog
from saecli.catalog.profiling import store_profile
from saecli.workflows.patterns import Shared
from tests.catalog.content import N_IMAGES, backbone_row, pictures, random_arrays, train


@pytest.fixture
def catalog(tmp_path):
    create_catalog(tmp_path / "catalog.db")
    with open_catalog(tmp_path / "catalog.db", write=True) as opened:
        yield opened


@pytest.mark.parametrize("replaced", [False, True])
def test_the_untrained_twin_stands_beside_only_over_the_same_pictures(catalog, replaced):
    with catalog.begin("train", []) as invocation, catalog.writing() as session:
        plain = backbone_row(session, invocation.id)
        random = backbone_row(session, invocation.id, "e" * 64, untrained=True)
    a = train(catalog, invocation.id, plain, "a", b"a")
    b = train(catalog, invocation.id, plain, "b", b"b")
    twin = train(catalog, invocation.id, random, "twin", b"twin", untrained=True)
    now = pictures(N_IMAGES)
    before = [replace(now[0], sha256="f" * 64), *now[1:]] if replaced else now
    for seed, (dictionary, chosen) in enumerate(((twin, before), (a, now), (b, now))):
        folder = record_image_set(catalog, invocation.id, name="photos", root="/", pictures=chosen)
        store_profile(
            catalog,
            invocation.id,
            dictionary=dictionary,
            image_set=folder,
            arrays=random_arrays(seed=seed),
            settings={},
            seconds=1.0,
        )
    with catalog.reading() as session:
        shared = Shared.open(session, a, b)
    if replaced:
        assert shared.untrained is None
    else:
        assert shared.untrained is not None
        expected = random_arrays(seed=0).signature
        np.testing.assert_array_equal(shared.untrained.signatures, expected)
