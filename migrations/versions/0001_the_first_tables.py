"""The first tables, from the file of SQL beside this one."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPLICATION = 0x53414543  # "SAEC" in the file's head: this database is a catalog


def upgrade() -> None:
    _, *statements = Path(__file__).with_suffix(".sql").read_text().split("\n\n")
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
    op.execute(f"PRAGMA application_id = {APPLICATION}")
    op.execute("PRAGMA user_version = 1")
