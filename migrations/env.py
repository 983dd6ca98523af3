"""How Alembic reaches a catalog.

saecli hands in an engine (`config.attributes["engine"]`) on a connection that it opened itself.
To write a migration: `python -m saecli.catalog.revision "what changes"` in a checkout.
"""

from alembic import context

from saecli.catalog.tables import metadata
from saecli.catalog.tables.base import Moment
from saecli.errors import SaecliError


def in_metadata(name: str | None, kind: str, parents: object) -> bool:
    """Leave the full-text index and its shadow tables, which only SQL describes, alone."""
    return not (kind == "table" and name is not None and name.startswith("label_words"))


def as_written(kind: str, item: object, autogen_context: object) -> str | bool:
    """Write saecli's column type as the plain one it stores, so that migrations stand alone."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, Moment) else False


with context.config.attributes["engine"].connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=True,
        include_name=in_metadata,
        render_item=as_written,
    )
    with context.begin_transaction():
        context.run_migrations()
        dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if dangling is not None:
            raise SaecliError(
                f"the upgraded table {dangling[0]} would have a dangling reference",
                "nothing was changed; look for the damage with saecli catalog check",
            )
