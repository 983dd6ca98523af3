"""Labels of several authors side by side, their scores; from the file of SQL beside this one."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _, *statements = Path(__file__).with_suffix(".sql").read_text().split("\n\n")
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
    op.execute("PRAGMA user_version = 2")
