import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from saecli.catalog import connections, failures, location
from saecli.catalog.location import catalog_path, files_folder, on_network, shown
from saecli.catalog.opening import open_catalog
from saecli.catalog.schema import SCHEMA
from saecli.errors import SaecliError


def set_number(path, pragma, value):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA {pragma} = {value}")


def test_the_path_is_the_argument_then_the_variable_then_the_folder(monkeypatch):
    monkeypatch.setenv("SAECLI_CATALOG", "~/lab.db")
    assert catalog_path("here.db") == Path("here.db")
    assert catalog_path() == Path("~/lab.db").expanduser()
    monkeypatch.setenv("SAECLI_CATALOG", " ")
    assert catalog_path() == Path("catalog.db")


def test_files_lie_in_a_folder_named_after_the_catalog():
    assert files_folder(Path("/x/catalog.db")) == Path("/x/catalog.files")
    assert files_folder(Path("lab.v2.db")) == Path("lab.v2.files")


def test_sentences_show_paths_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(Path("catalog.db")) == "./catalog.db"
    assert shown(tmp_path / "a" / "b.db") == "./a/b.db"
    assert shown(Path("/elsewhere/b.db")) == "/elsewhere/b.db"


@pytest.mark.parametrize("name", ["a [b] c.db", "50%20.db", "a?b#c.db", "käse 🐦.db"])
def test_any_file_name_will_do(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with open_catalog(name, create=True) as catalog, catalog.begin("x", []):
        pass
    with open_catalog(name) as catalog, catalog.reading() as session:
        assert session.execute(text("SELECT count(*) FROM invocation")).scalar() == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_no_catalog_names_the_command_that_makes_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SaecliError) as caught:
        open_catalog()
    assert str(caught.value).startswith("no catalog at ./catalog.db; run saecli train to make one")
    with pytest.raises(SaecliError, match=r"no catalog at \./catalog.db"):
        open_catalog(write=True)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(200), b"SQLite format 2"])
def test_a_file_of_another_kind_is_no_catalog(tmp_path, content):
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(SaecliError, match="is no catalog but an"):
        open_catalog(path)
    with pytest.raises(SaecliError, match="is no catalog but an"):
        open_catalog(path, create=True)
    assert path.read_bytes() == content


def test_another_programs_database_is_no_catalog(tmp_path):
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE a (b)")
    with pytest.raises(SaecliError, match="an SQLite database, but no saecli catalog"):
        open_catalog(path, write=True)


def test_a_damaged_database_is_said_to_be_damaged(blank, tmp_path):
    path = tmp_path / "x.db"
    data = bytearray(blank.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)
    with pytest.raises(SaecliError, match=r"the catalog .* is damaged .*; take the newest backup"):
        open_catalog(path)


def test_a_folder_is_no_catalog(tmp_path):
    with pytest.raises(SaecliError, match=r"is a folder; name the file in it"):
        open_catalog(tmp_path)


def test_a_path_below_a_file_has_no_catalog(blank):
    with pytest.raises(SaecliError, match="no catalog at"):
        open_catalog(blank / "catalog.db")


def test_an_older_catalog_names_the_upgrade(empty):
    set_number("catalog.db", "user_version", SCHEMA - 1)
    with pytest.raises(SaecliError, match=r"your catalog is older .*; run saecli catalog upgrade"):
        open_catalog()


def test_a_newer_catalog_names_the_update(empty):
    set_number("catalog.db", "user_version", SCHEMA + 1)
    with pytest.raises(
        SaecliError, match=r"your saecli .* is older than the catalog .*; update it"
    ):
        open_catalog(write=True)


def test_a_reader_writes_nothing(empty):
    before = Path("catalog.db").read_bytes()
    with open_catalog() as catalog:
        with pytest.raises(SaecliError, match="can't be written to"), catalog.reading() as session:
            session.execute(text("UPDATE meta SET example = 1"))
        with pytest.raises(RuntimeError, match="opened for reading"), catalog.writing():
            pass
    assert Path("catalog.db").read_bytes() == before


def test_a_transaction_is_written_whole_or_not_at_all(empty):
    def write_and_stumble():
        with empty.writing() as session:
            session.execute(text("UPDATE meta SET example = 1"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stumble()
    with empty.reading() as session:
        assert session.execute(text("SELECT example FROM meta")).scalar() == 0


def test_a_reader_sees_one_state_while_another_writes(empty):
    count = text("SELECT count(*) FROM invocation")
    with empty.reading() as session:
        assert session.execute(count).scalar() == 0
        with empty.begin("x", []):
            pass
        assert session.execute(count).scalar() == 0
    with empty.reading() as session:
        assert session.execute(count).scalar() == 1


def test_a_writer_waits_its_turn(empty):
    held = threading.Event()

    def hold():
        with closing(connections.connect(Path("catalog.db"), write=True)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            held.set()
            time.sleep(0.3)
            connection.execute("COMMIT")

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    with empty.begin("x", []) as invocation:
        pass
    holder.join()
    assert invocation.id == 1


def test_a_lock_that_is_never_let_go_is_a_sentence(empty, monkeypatch):
    monkeypatch.setattr(connections.connect, "__kwdefaults__", {"wait": 0.05})
    with closing(sqlite3.connect("catalog.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SaecliError, match=r"in use by another program .*; wait until"):
            empty.begin("x", [])


def test_a_full_disk_is_a_sentence_and_nothing_is_half_written(empty, monkeypatch):
    plain = connections.connect

    def nearly_full(path, **options):
        connection = plain(path, **options)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        return connection

    def write_too_much():
        with empty.writing() as session:
            session.execute(text("UPDATE meta SET copied_from = 'half'"))
            session.execute(
                text("UPDATE invocation SET problem = :long"), {"long": "x" * 1_000_000}
            )

    with empty.begin("fill", []):
        monkeypatch.setattr("saecli.catalog.sessions.connect", nearly_full)
        with pytest.raises(SaecliError, match=r"the disk is full, so nothing was written .*; make"):
            write_too_much()
        monkeypatch.setattr("saecli.catalog.sessions.connect", plain)
    with empty.reading() as session:
        assert session.execute(text("SELECT copied_from FROM meta")).scalar() is None
        assert session.execute(text("SELECT status, problem FROM invocation")).all() == [
            ("done", None)
        ]
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_a_transaction_inside_another_is_our_own_mistake(empty):
    with empty.writing(), pytest.raises(RuntimeError, match="would wait for itself"):
        empty.begin("x", [])
    with empty.begin("x", []) as invocation:
        pass
    assert invocation.id == 1


def test_our_own_mistakes_keep_their_traceback(empty):
    with pytest.raises(Exception, match="no such table") as caught, empty.reading() as session:
        session.execute(text("SELECT * FROM nonsense"))
    assert not isinstance(caught.value, SaecliError)


def test_network_file_systems_get_an_ordinary_journal(empty, tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path}/far\\040off nfs4 rw 0 0\n")
    far = tmp_path / "far off"
    far.mkdir()
    assert on_network(far / "catalog.db", mounts)
    assert not on_network(tmp_path / "catalog.db", mounts)
    for module in ("saecli.catalog.creation", "saecli.catalog.opening"):
        monkeypatch.setattr(f"{module}.on_network", lambda path: on_network(path, mounts))
    empty.close()
    Path("catalog.db").rename(far / "moved.db")
    for name in ("made.db", "moved.db"):
        with open_catalog(far / name, create=True) as catalog:
            with catalog.begin("x", []):
                pass
            # A reader that lingers must not keep writers out, as it would in a transaction.
            with catalog.reading() as session:
                assert session.execute(text("PRAGMA journal_mode")).scalar() == "delete"
                assert session.execute(text("SELECT count(*) FROM invocation")).scalar() == 1
                with catalog.begin("y", []):
                    pass


def test_the_list_of_network_types_is_of_names_as_the_kernel_has_them():
    assert {"nfs", "nfs4", "cifs", "smb3", "lustre"} <= location.NETWORK_TYPES
    assert not {"ext4", "xfs", "overlay", "tmpfs", "apfs"} & location.NETWORK_TYPES


def test_a_catalog_in_a_folder_that_cant_be_written_to_can_be_read(empty, monkeypatch):
    """A cluster's shared catalog; the rights are feigned, since root has them all."""
    empty.close()
    monkeypatch.setattr("saecli.catalog.connections.os.access", lambda path, mode: False)
    with open_catalog() as catalog, catalog.reading() as session:
        assert session.execute(text("SELECT count(*) FROM meta")).scalar() == 1
    assert [path.name for path in Path().iterdir()] == ["catalog.db"]


def test_opening_and_listing_load_no_sqlalchemy_and_nothing_loads_torch(empty):
    code = (
        "import sys\n"
        "from saecli.catalog.opening import open_catalog\n"
        "from saecli.catalog.listing import list_all\n"
        "with open_catalog() as catalog: list_all(catalog)\n"
        "assert not {'sqlalchemy', 'numpy'} & set(sys.modules)\n"
        "import saecli.catalog.showing, saecli.catalog.labels, saecli.catalog.label_search\n"
        "assert not {'alembic', 'numpy'} & set(sys.modules)\n"
        "import saecli.catalog.profiling, saecli.catalog.trials, saecli.catalog.creation\n"
        "assert not {'torch', 'typer', 'rich', 'faiss'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_every_failure_has_a_sentence_or_is_ours():
    class Failure(sqlite3.OperationalError):
        sqlite_errorcode = sqlite3.SQLITE_IOERR_READ

    found = failures.sentence(Failure("disk I/O error"), "x.db")
    assert str(found).startswith("the catalog x.db can't be read or written (disk I/O error); ")
    assert failures.sentence(sqlite3.OperationalError("no such table"), "x.db") is None
