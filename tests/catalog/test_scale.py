"""A dictionary of the size that people train: 24,576 latents with 16 exemplars each."""

import time
from pathlib import Path

import pytest

from saecli.catalog.images import record_image_set
from saecli.catalog.label_search import search_labels
from saecli.catalog.opening import open_catalog
from saecli.catalog.showing import show_latent
from saecli.refs import Concept
from tests.catalog.content import pictures
from tests.catalog.wide import N_EXEMPLARS, N_IMAGES, write_wide


@pytest.mark.slow
def test_a_wide_dictionary_stays_small_and_answers_at_once(empty):
    with empty.begin("train", []) as invocation:
        photos = record_image_set(
            empty, invocation.id, name="photos", root="/", pictures=pictures(N_IMAGES)
        )
        write_wide(empty, invocation.id, "wide", photos)
    empty.close()
    assert Path("catalog.db").stat().st_size < 150e6
    assert sum(path.stat().st_size for path in Path().rglob("*") if path.is_file()) < 300e6

    def read():
        with open_catalog() as catalog, catalog.reading() as session:
            shown = show_latent(session, Concept("wide", (19_717,)))
            found = search_labels(session, "label 7")
        return shown, found

    read()  # compiles the statements
    started = time.process_time()
    shown, found = read()
    assert time.process_time() - started < 0.2
    assert len(shown.exemplars) == N_EXEMPLARS
    assert len(found.results) == 10
