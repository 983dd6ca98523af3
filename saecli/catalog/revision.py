"""Write the next migration from what changed in the tables: `python -m saecli.catalog.revision`.

    python -m saecli.catalog.revision "labels know their kind"

The draft lands in `migrations/versions/`; read it, then raise ``SCHEMA`` and keep a small catalog
of the old schema under `tests/data/`.
"""

import sqlite3
import sys
from contextlib import closing

from alembic import command

from saecli.catalog.creation import alembic_config, migrations_folder


def write_revision(message: str) -> None:
    """Compare the tables with all migrations so far, and write the difference as one more."""
    number = 1 + len(list((migrations_folder() / "versions").glob("[0-9]*.py")))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        config = alembic_config(connection)
        command.upgrade(config, "head")
        command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")


if __name__ == "__main__":
    write_revision(" ".join(sys.argv[1:]))
