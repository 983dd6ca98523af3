"""Making and upgrading a catalog by its migrations: the only place that loads Alembic."""

import os
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from saecli.catalog.connections import connect, set_journal
from saecli.catalog.failures import disk_sentence, sentence
from saecli.catalog.location import on_network, shown
from saecli.errors import SaecliError


def migrations_folder() -> Path:
    """The migrations: beside the modules in an installed package, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise SaecliError(
        "this installation of saecli lacks its migrations", "install it anew: pip install saecli"
    )


def migrate(connection: sqlite3.Connection) -> None:
    """Run every migration that the catalog lacks, all in one transaction.

    Foreign keys are off meanwhile, since a changed table is copied and dropped; the migrations'
    environment checks them before it commits.
    """
    connection.execute("PRAGMA foreign_keys=OFF")
    command.upgrade(alembic_config(connection), "head")
    connection.execute("PRAGMA foreign_keys=ON")


def alembic_config(connection: sqlite3.Connection) -> Config:
    """Alembic's configuration for an open catalog, without a file."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def begin(_: Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")

    config.attributes["engine"] = engine
    return config


def create_catalog(path: Path) -> None:
    """Make an empty catalog, whole or not at all.

    Raises:
        SaecliError: if the folder does not exist or can't be written to.
    """
    name = shown(path)
    if not path.absolute().parent.is_dir():
        raise SaecliError(
            f"there is no folder {shown(path.absolute().parent)} for the catalog {name}",
            "make the folder, or name another place with --catalog",
        )
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        draft.touch()
        with closing(connect(draft, write=True)) as connection:
            migrate(connection)
            connection.execute(
                "INSERT INTO meta (id, catalog_id, example, created) VALUES (1, ?, 0, ?)",
                (str(uuid.uuid4()), datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")),
            )
            set_journal(connection, log=not on_network(path))
        _place(draft, path)
    except OSError as error:
        raise disk_sentence(error, name) from error
    except sqlite3.Error as error:
        raise sentence(error, name) or error from error
    finally:
        draft.unlink(missing_ok=True)


def _place(draft: Path, path: Path) -> None:
    """Give the draft its name, unless another process was first."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not path.exists():
            draft.replace(path)
