import errno
import hashlib
import os
from pathlib import Path

import pytest
from sqlalchemy import select, update

from saecli.catalog.artifacts import (
    INSIDE_BYTES,
    artifact_problems,
    find_unreferenced,
    read_artifact,
    store_artifact,
)
from saecli.catalog.tables import Artifact
from saecli.errors import SaecliError

NOISE = os.urandom(10_000)
LARGE = os.urandom(INSIDE_BYTES + 1)
FILE = Path(
    "catalog.files", hashlib.sha256(LARGE).hexdigest()[:2], hashlib.sha256(LARGE).hexdigest()
)


def store(catalog, data, kind="checkpoint"):
    with catalog.begin("x", []) as invocation, catalog.writing() as session:
        return store_artifact(session, invocation.id, data, kind)


def read(catalog, artifact):
    with catalog.reading() as session:
        return read_artifact(session, artifact.id)


@pytest.mark.parametrize("data", [b"", NOISE, bytes(10_000), bytes(INSIDE_BYTES + 1)])
def test_small_bytes_are_kept_in_the_catalog_itself(empty, data):
    artifact = store(empty, data)
    assert (artifact.sha256, artifact.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert read(empty, artifact) == data
    assert not empty.files.exists()


def test_bytes_are_compressed_where_it_helps(empty):
    store(empty, NOISE)
    store(empty, bytes(INSIDE_BYTES))
    with empty.reading() as session:
        rows = session.execute(select(Artifact.encoding, Artifact.data)).all()
    assert [row.encoding for row in rows] == ["raw", "zlib"]
    assert len(rows[1].data) < 20_000


def test_large_bytes_are_kept_in_a_file_beside_it_under_a_relative_path(empty):
    artifact = store(empty, LARGE)
    assert read(empty, artifact) == LARGE
    assert FILE.read_bytes() == LARGE
    with empty.reading() as session:
        path, data = session.execute(select(Artifact.path, Artifact.data)).one()
    assert data is None
    assert not Path(path).is_absolute()
    assert [path for path in Path("catalog.files").rglob("*") if path.is_file()] == [FILE]


@pytest.mark.parametrize("data", [NOISE, LARGE])
def test_the_same_bytes_are_kept_once(empty, data):
    assert store(empty, data) == store(empty, data)


def test_a_missing_file_is_a_sentence_and_storing_it_again_mends_it(empty):
    artifact = store(empty, LARGE)
    FILE.unlink()
    with pytest.raises(
        SaecliError, match=r"the checkpoint \w+ of ./catalog.db is missing: .*; copy"
    ):
        read(empty, artifact)
    store(empty, LARGE)
    assert read(empty, artifact) == LARGE


def test_a_damaged_file_is_a_sentence(empty):
    artifact = store(empty, LARGE)
    FILE.write_bytes(LARGE[:-1])
    with pytest.raises(SaecliError, match=r"the checkpoint \w+ of ./catalog.db is damaged; copy"):
        read(empty, artifact)


@pytest.mark.parametrize("data", [NOISE, bytes(1000)])
def test_damaged_bytes_in_the_catalog_are_a_sentence(empty, data):
    artifact = store(empty, data)
    with empty.writing() as session:
        session.execute(update(Artifact).values(data=b"something else"))
    with pytest.raises(SaecliError, match="is damaged"):
        read(empty, artifact)
    with empty.reading() as session:
        assert artifact_problems(session) == [
            f"the checkpoint {artifact.sha256[:12]} of ./catalog.db is damaged"
        ]


def test_a_full_disk_leaves_no_file_and_no_row(empty, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("saecli.catalog.artifacts.os.fsync", fail)
    with pytest.raises(SaecliError, match=r"the disk is full, so \./catalog\.files/.* was not"):
        store(empty, LARGE)
    assert not any(path.is_file() for path in Path("catalog.files").rglob("*"))
    with empty.reading() as session:
        assert session.scalars(select(Artifact.id)).all() == []


def test_a_file_whose_row_was_never_committed_is_found(empty):
    def store_and_stop():
        with empty.begin("x", []) as invocation, empty.writing() as session:
            store_artifact(session, invocation.id, LARGE, "checkpoint")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_and_stop()
    Path("catalog.files", "cache").mkdir()
    Path("catalog.files", "cache", "activations").touch()
    with empty.reading() as session:
        found = find_unreferenced(session)
    assert [path.absolute() for path in found.files] == [FILE.absolute()]
    assert found.artifacts == []


def test_what_nothing_points_to_is_found(catalog):
    lonely = store(catalog, NOISE, "probe")
    with catalog.reading() as session:
        assert find_unreferenced(session).artifacts == [lonely]
