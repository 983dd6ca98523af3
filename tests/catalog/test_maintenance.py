import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from saecli.catalog import artifacts, creation, maintenance, schema
from saecli.catalog.dictionaries import get_dictionary, read_checkpoint
from saecli.catalog.images import Picture, image_ids, members, record_image_set
from saecli.catalog.labels import add_label, current_labels
from saecli.catalog.maintenance import backup, check, info, upgrade, vacuum
from saecli.catalog.opening import open_catalog
from saecli.catalog.relocation import relocate
from saecli.errors import SaecliError
from saecli.refs import parse_concept
from tests.catalog.content import N_IMAGES, N_LATENTS, train

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    with op.batch_alter_table("probe") as batch:
        batch.add_column(sa.Column("pooling", sa.String(), nullable=False, server_default="cls"))
        batch.drop_constraint(op.f("ck_probe_task_known"), type_="check")
    op.execute("PRAGMA user_version = 3")
"""


@pytest.fixture
def next_schema(tmp_path, monkeypatch):
    """This saecli, one schema later: its migrations and its number."""
    folder = tmp_path / "migrations"
    shutil.copytree(creation.migrations_folder(), folder)
    (folder / "versions" / "0003_next.py").write_text(NEXT)
    monkeypatch.setattr(creation, "migrations_folder", lambda: folder)
    monkeypatch.setattr(schema, "SCHEMA", 3)
    monkeypatch.setattr(maintenance, "SCHEMA", 3)
    return folder


@pytest.fixture
def large(catalog, content, monkeypatch):
    """The filled catalog, with a dictionary whose checkpoint lies in a file."""
    monkeypatch.setattr(artifacts, "INSIDE_BYTES", 1000)
    train(catalog, content.invocation, content.backbone, "large", os.urandom(2000))
    return catalog


def test_info_tells_what_a_catalog_holds(large):
    with large.reading() as session:
        found = info(session, large)
    assert (found.schema, found.example, found.default) == (schema.SCHEMA, False, "clip")
    assert found.counts["dictionaries"] == 2
    assert found.counts["latents"] == 2 * N_LATENTS
    assert found.counts["images"] == N_IMAGES
    assert found.size == Path("catalog.db").stat().st_size
    assert found.files_size == 2000
    assert len(found.catalog_id) == 36


def test_a_whole_catalog_passes_the_check(large):
    with large.reading() as session:
        found = check(session)
    assert (found.ok, found.problems, found.unreferenced) == (True, [], [])


def test_the_check_finds_what_is_missing_or_dangling(large):
    file = next(path for path in Path("catalog.files").rglob("*") if path.is_file())
    file.rename(file.with_name("0" * 64))
    large.close()
    with closing(sqlite3.connect("catalog.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM image WHERE id = 3")  # foreign keys are off here
    with large.reading() as session:
        found = check(session)
    assert not found.ok
    assert any("of thumbnail points to a row of image that isn't" in p for p in found.problems)
    assert any(
        "the checkpoint" in problem and "is missing" in problem for problem in found.problems
    )
    assert found.unreferenced == [f"./{file.with_name('0' * 64)}"]


def test_the_check_finds_damaged_pages(large):
    with large.reading() as session:
        page = session.execute(
            text("SELECT rootpage FROM sqlite_master WHERE name = 'exemplar'")
        ).scalar()
    large.close()
    with Path("catalog.db").open("r+b") as file:
        file.seek((page - 1) * 4096 + 8)
        file.write(os.urandom(60))
    with open_catalog() as catalog, catalog.reading() as session:
        found = check(session)
    assert not found.ok
    assert found.problems


def test_a_backup_is_a_catalog_on_its_own_with_its_files(large, content):
    Path("safe").mkdir()
    # Not yet merged from the write-ahead log, so that copying the file alone would lose it.
    with large.reading(), large.writing() as session:
        add_label(session, content.invocation, parse_concept("clip:3"), "wing", author="me")
    report = backup(large, Path("safe/copy.db"))
    assert sorted(path.name for path in Path("safe").iterdir()) == ["copy.db", "copy.files"]
    assert report.n_files == 1
    with open_catalog("safe/copy.db") as copy, copy.reading() as session:
        assert check(session).ok
        assert len(read_checkpoint(session, get_dictionary(session, "large"))) == 2000
        assert current_labels(session, get_dictionary(session, "clip")) == {3: "wing"}
    with pytest.raises(SaecliError, match=r"safe/copy.db exists already; name another"):
        backup(large, Path("safe/copy.db"))
    with pytest.raises(SaecliError, match=r"there is no folder 'nowhere'; make it"):
        backup(large, Path("nowhere/copy.db"))


def test_a_backup_takes_what_the_catalog_names_and_no_caches(large):
    Path("catalog.files", "cache").mkdir()
    Path("catalog.files", "cache", "activations").write_bytes(bytes(5000))
    report = backup(large, Path("copy.db"))
    assert (report.n_files, Path("copy.files", "cache").exists()) == (1, False)


def test_a_backup_that_fails_leaves_nothing(large):
    file = next(path for path in Path("catalog.files").rglob("*") if path.is_file())
    file.unlink()
    with pytest.raises(SaecliError, match=r"the file catalog\.files/.* is missing; see what else"):
        backup(large, Path("copy.db"))
    assert not any("copy" in str(path) for path in Path().rglob("*") if path.is_file())


def test_a_vacuum_drops_what_nothing_uses_and_keeps_the_rest(large, content):
    with large.begin("x", []) as invocation, large.writing() as session:
        artifacts.store_artifact(session, invocation.id, os.urandom(900), "checkpoint")
        artifacts.store_artifact(session, invocation.id, os.urandom(500_000), "checkpoint")
    used, unused = sorted(Path("catalog.files").rglob("?" * 64), key=lambda p: p.stat().st_size)
    fresh = Path("catalog.files/ab") / ("ab" + "0" * 62)
    fresh.parent.mkdir(exist_ok=True)
    fresh.write_bytes(b"a job is about to name it")
    for path in (used, unused):
        os.utime(path, (1, 1))
    report = vacuum(large)
    assert (report.n_artifacts, report.n_files) == (2, 1)
    assert report.size_before - report.size_after >= 500_000
    assert (used.exists(), unused.exists(), fresh.exists()) == (True, False, True)
    with large.reading() as session:
        assert check(session).ok
        assert len(read_checkpoint(session, get_dictionary(session, "large"))) == 2000
    assert vacuum(large).n_artifacts == 0


def test_a_catalog_and_its_folder_move_together(large, tmp_path):
    large.close()
    there = tmp_path / "there"
    there.mkdir()
    Path("catalog.db").rename(there / "catalog.db")
    Path("catalog.files").rename(there / "catalog.files")
    with open_catalog(there / "catalog.db") as moved, moved.reading() as session:
        assert check(session).ok


def test_an_upgrade_keeps_the_old_catalog_and_all_rows(catalog, content, next_schema):
    with catalog.writing() as session:
        add_label(session, content.invocation, parse_concept("clip:3"), "wing", author="me")
    catalog.close()
    with pytest.raises(SaecliError, match="run saecli catalog upgrade"):
        open_catalog()
    notes = []
    report = upgrade(note=notes.append)
    assert (report.from_schema, report.to_schema) == (2, 3)
    assert report.backup in notes[0]
    with open_catalog(write=True) as upgraded:
        with upgraded.writing() as session:
            assert current_labels(session, get_dictionary(session, "clip")) == {3: "wing"}
            columns = session.execute(text("SELECT name FROM pragma_table_info('probe')"))
            assert "pooling" in set(columns.scalars())
            assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
        with upgraded.reading() as session:
            assert check(session).ok
    with closing(sqlite3.connect(report.backup)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (2,)
        assert old.execute("SELECT text FROM label").fetchall() == [("wing",)]
    assert upgrade().backup is None


def test_a_failed_upgrade_changes_nothing(catalog, next_schema):
    catalog.close()
    before = Path("catalog.db").read_bytes()
    (next_schema / "versions" / "0003_next.py").write_text(
        NEXT.replace("    op.execute(", "    op.execute('DELETE FROM image')\n    op.execute(")
    )
    with pytest.raises(SaecliError, match="would have a dangling reference; nothing was changed"):
        upgrade()
    assert Path("catalog.db").read_bytes() == before


def test_what_cant_be_upgraded_is_a_sentence(catalog, next_schema, tmp_path):
    with pytest.raises(SaecliError, match="no catalog at"):
        upgrade(tmp_path / "nothing.db")
    catalog.close()
    with closing(sqlite3.connect("catalog.db", isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET example = 1")
    with pytest.raises(SaecliError, match="is the shipped example, which is never changed"):
        upgrade()
    with closing(sqlite3.connect("catalog.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 4")
    with pytest.raises(SaecliError, match="is older than the catalog"):
        upgrade()


def test_pictures_that_moved_are_found_by_their_bytes(empty, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new" / "deep [1]"
    old.mkdir()
    new.mkdir(parents=True)
    chosen = []
    for i in range(4):
        path = old / f"{i}.jpg"
        path.write_bytes(b"picture %d" % i)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        chosen.append(Picture(path.name, str(path), digest, 10, 10))
    with empty.begin("x", []) as invocation:
        photos = record_image_set(empty, invocation.id, name="p", root=old, pictures=chosen)
    (old / "1.jpg").rename(new / "other name.PNG")
    (old / "2.jpg").unlink()
    (old / "3.jpg").rename(new / "3.jpg")
    (new / "3.jpg").write_bytes(b"edited")
    report = relocate(empty, tmp_path / "new")
    assert (report.n_images, report.n_in_place, report.n_moved) == (4, 1, 1)
    assert report.missing == [str(old / "2.jpg"), str(old / "3.jpg")]
    with empty.reading() as session:
        paths = [member.path for member in members(session, photos)]
        assert len(image_ids(session, photos)) == 4
    assert paths[:2] == [str(old / "0.jpg"), str(new / "other name.PNG")]
    with pytest.raises(SaecliError, match=r"there is no folder \./nowhere"):
        relocate(empty, Path("nowhere"))


def test_pictures_of_the_built_in_world_are_never_missing(empty, tmp_path):
    drawn = Picture("000001.png", "fieldguide:train/000001.png", "a" * 64, 10, 10)
    with empty.begin("x", []) as invocation:
        record_image_set(empty, invocation.id, name="p", root="fieldguide:train", pictures=[drawn])
    report = relocate(empty, tmp_path)
    assert (report.n_in_place, report.n_moved, report.missing) == (1, 0, [])
