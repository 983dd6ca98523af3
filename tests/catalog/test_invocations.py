import uuid

import pytest
from sqlalchemy import select

from saecli.catalog.tables import Invocation, metadata
from saecli.errors import SaecliError


def stored(catalog) -> Invocation:
    with catalog.reading() as session:
        return session.scalars(select(Invocation).order_by(Invocation.id.desc())).first()


def test_a_run_is_recorded_with_all_that_can_change_its_result(empty):
    with empty.begin(
        "train", ["--k", "8"], {"k": 8, "lr": 1e-3}, seed=7, versions={"torch": "2.6", "threads": 2}
    ) as invocation:
        row = stored(empty)
        assert (row.status, row.ended, row.exit_code) == ("running", None, None)
    row = stored(empty)
    assert uuid.UUID(row.uuid) == uuid.UUID(invocation.uuid)
    assert (row.command, row.arguments, row.seed) == ("train", ["--k", "8"], 7)
    assert row.settings == {"k": 8, "lr": 1e-3}
    assert row.versions == {"torch": "2.6", "threads": 2}
    assert (row.status, row.exit_code, row.problem) == ("done", 0, None)
    assert row.ended >= row.started
    assert row.started.utcoffset().total_seconds() == 0


def test_settings_can_be_resolved_later(empty):
    with empty.begin("train", [], {"latents": "8x"}, seed=7) as invocation:
        invocation.resolve({"latents": 1536})
    row = stored(empty)
    assert (row.settings, row.seed) == ({"latents": 1536}, 7)


@pytest.mark.parametrize(
    ("error", "status", "exit_code", "problem"),
    [
        (KeyboardInterrupt(), "interrupted", 130, None),
        (
            SaecliError("no pictures in x", "name another"),
            "failed",
            1,
            "no pictures in x; name another",
        ),
        (ZeroDivisionError(), "failed", 1, "ZeroDivisionError"),
    ],
)
def test_an_end_that_was_not_planned_is_recorded_and_goes_on(
    empty, error, status, exit_code, problem
):
    with pytest.raises(type(error)), empty.begin("profile", []):
        raise error
    row = stored(empty)
    assert (row.status, row.exit_code, row.problem) == (status, exit_code, problem)


def test_every_table_that_commands_write_points_to_an_invocation_or_to_a_row_that_does():
    recorded = {name for name, table in metadata.tables.items() if "invocation_id" in table.columns}
    for name, table in metadata.tables.items():
        owners = {key.column.table.name for key in table.foreign_keys}
        assert name in {"meta", "invocation"} | recorded or owners & (recorded | {"latent"}), name
