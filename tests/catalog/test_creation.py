import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, insert
from sqlalchemy.exc import IntegrityError

from saecli.catalog.creation import create_catalog, migrations_folder
from saecli.catalog.opening import open_catalog
from saecli.catalog.schema import APPLICATION, SCHEMA
from saecli.catalog.tables import Thumbnail, metadata
from saecli.errors import SaecliError


def schema_of(connection: sqlite3.Connection) -> set[str]:
    statements = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
    )
    spaced = (re.sub(r"\s+", " ", sql) for (sql,) in statements)
    return {re.sub(r" ?([(),;]) ?", r"\1", sql).strip("; ") for sql in spaced}


def test_the_migrations_give_exactly_the_tables_that_the_code_declares(blank, tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    metadata.create_all(engine)
    engine.dispose()
    with (
        closing(sqlite3.connect(tmp_path / "declared.db")) as declared,
        closing(sqlite3.connect(blank)) as migrated,
    ):
        assert schema_of(migrated) == schema_of(declared)
        assert len(schema_of(migrated)) > 40


def test_alembic_finds_nothing_to_migrate(blank):
    engine = create_engine(f"sqlite:///{blank}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: not (name or "").startswith("label_words"),
            },
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_schema_number_is_that_of_the_newest_migration(blank):
    numbers = [int(path.name[:4]) for path in (migrations_folder() / "versions").glob("0*.py")]
    with closing(sqlite3.connect(blank)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    assert max(numbers) == SCHEMA


def test_every_constraint_has_a_name_by_the_convention():
    kinds = {"PrimaryKeyConstraint": "pk", "ForeignKeyConstraint": "fk"}
    kinds |= {"UniqueConstraint": "uq", "CheckConstraint": "ck"}
    for table in metadata.tables.values():
        for constraint in table.constraints:
            assert constraint.name.startswith(f"{kinds[type(constraint).__name__]}_{table.name}")
        for index in table.indexes:
            assert index.name.startswith(f"ix_{table.name}")


def test_foreign_keys_hold(empty):
    thumbnail = insert(Thumbnail).values(image_id=99, data=b"")
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), empty.writing() as session:
        session.execute(thumbnail)


def test_a_new_catalog_is_made_in_under_a_second(tmp_path):
    create_catalog(tmp_path / "first.db")  # loads Alembic
    started = time.process_time()
    create_catalog(tmp_path / "second.db")
    assert time.process_time() - started < 1


def test_a_new_catalog_uses_a_write_ahead_log_and_is_one_file_when_closed(tmp_path):
    path = tmp_path / "catalog.db"
    with open_catalog(path, create=True) as catalog, catalog.begin("x", []):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["catalog.db"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_every_catalog_has_an_id_of_its_own(tmp_path):
    ids = set()
    for name in ("a.db", "b.db"):
        create_catalog(tmp_path / name)
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            ids |= set(connection.execute("SELECT catalog_id FROM meta"))
    assert len(ids) == 2


def test_a_catalog_in_no_folder_is_refused(tmp_path):
    with pytest.raises(SaecliError, match=r"there is no folder .*; make the folder"):
        open_catalog(tmp_path / "nowhere" / "catalog.db", create=True)


def test_a_failed_creation_leaves_nothing(tmp_path, monkeypatch):
    def fail(connection):
        connection.execute("CREATE TABLE half (a)")
        raise KeyboardInterrupt

    monkeypatch.setattr("saecli.catalog.creation.migrate", fail)
    with pytest.raises(KeyboardInterrupt):
        open_catalog(tmp_path / "catalog.db", create=True)
    assert list(tmp_path.iterdir()) == []


def test_processes_that_create_at_once_share_one_catalog(tmp_path):
    code = (
        "import sys\nfrom saecli.catalog.opening import open_catalog\n"
        "with open_catalog(sys.argv[1], create=True) as c, c.begin('x', []): pass"
    )
    path = tmp_path / "catalog.db"
    running = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    assert [process.wait(120) for process in running] == [0, 0]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM invocation").fetchone() == (2,)
    assert [file.name for file in tmp_path.iterdir()] == ["catalog.db"]
