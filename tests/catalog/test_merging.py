"""Two people's catalogs become one: nothing is lost, in either order, and twice is once."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from saecli.catalog import artifacts
from saecli.catalog.artifacts import store_artifact
from saecli.catalog.dictionaries import get_dictionary, read_checkpoint
from saecli.catalog.evidence import show_experiment
from saecli.catalog.experiments import begin_experiment, get_experiment, publish_experiment
from saecli.catalog.hypotheses import add_hypothesis
from saecli.catalog.images import record_image_set
from saecli.catalog.label_history import label_history
from saecli.catalog.label_search import search_labels
from saecli.catalog.labels import add_label, close_label, refute_label
from saecli.catalog.maintenance import check
from saecli.catalog.matches import latest_matches
from saecli.catalog.merging.merge import merge
from saecli.catalog.observations import add_observation, add_selection, last_observation
from saecli.catalog.opening import open_catalog
from saecli.catalog.probes import add_probe, get_probe, read_probe
from saecli.catalog.profiling import store_profile
from saecli.catalog.tables import Comparison, LabelScore, Match
from saecli.catalog.trials import add_trials
from saecli.errors import SaecliError
from saecli.refs import parse_concept
from tests.catalog.content import pictures, random_arrays, train

DATA = Path(__file__).resolve().parents[1] / "data"


def work(catalog, who: str, offset: int) -> None:
    """What somebody did with a catalog: a dictionary, a probe, findings, experiments, labels."""
    with catalog.begin("work", [who]) as invocation:
        number = invocation.id
        clip = one(catalog, get_dictionary, "clip")
        own = train(catalog, number, clip.backbone, "mine", f"checkpoint of {who}".encode())
        train(catalog, number, clip.backbone, f"large-{who}", np.random.bytes(3000))
        few = record_image_set(
            catalog, number, name="few", root="/", pictures=pictures(9 + offset)[offset:]
        )
        store_profile(
            catalog,
            number,
            dictionary=own,
            image_set=few,
            arrays=random_arrays(n_images=9, seed=offset),
            settings={},
            seconds=1.0,
        )
        with catalog.writing() as session:
            probe = add_probe(
                session,
                number,
                name="species",
                backbone=clip.backbone,
                task="classification",
                classes=["a", "b"],
                artifact=store_artifact(session, number, f"probe of {who}".encode(), "probe"),
                settings={},
                n_train=8,
                n_test=2,
                accuracy=0.5,
            )
            add_observation(
                session,
                number,
                image_id=3,
                dictionary=own,
                patches=[1, 2],
                latents=[(5, 2.0), (1, 1.0)],
            )
            add_selection(
                session,
                number,
                kind="detect",
                dictionary=own,
                image_set=few,
                class_name="odd",
                latents=[(2, {"f1": 0.5})],
                probe_id=probe.id,
            )
            add_comparison(session, number, own, clip, few)
        tests = [experiment(catalog, number, probe, f"mine:{i}", finished=True) for i in (2, 3)]
        told_of_family(catalog, tests)
        experiment(catalog, number, probe, "mine:4", finished=False)
        with catalog.writing() as session:
            for ref in ("clip:3", "mine:3", "clip:4"):
                add_label(session, number, parse_concept(ref), f"{who}'s first", author=who)
            labelled = add_label(
                session, number, parse_concept("clip:3"), f"{who}'s second", author=who
            )
            auto = {"author": "zero-shot 1", "kind": "labeller"}
            add_label(session, number, parse_concept("clip:5"), f"auto {who}", **auto)
            close_label(session, number, parse_concept("clip:4"), status="retired", author=who)
            refute_label(session, number, parse_concept("mine:3"), tests[1], author=who)
            session.add(
                LabelScore(
                    uuid=f"score of {who}",
                    label_id=labelled.number,
                    judge="judge 1",
                    figures={"auroc": 0.5},
                    invocation_id=number,
                )
            )


def add_comparison(session, invocation, own, clip, image_set) -> None:
    from saecli.catalog.dictionaries import latent_ids

    (source,) = latent_ids(session, own, [7])
    (target,) = latent_ids(session, clip, [8])
    row = Comparison(
        uuid=f"comparison in {own.sha256[:8]}",
        latent_id=source,
        target_id=clip.id,
        image_set_id=image_set.id,
        method="pearson",
        settings={"untrained_twin": "mine", "seen": ["mine:7", "mine's"]},
        counterpart_id=target,
        n_images=9,
        n_active=5,
        invocation_id=invocation,
    )
    session.add(row)
    session.flush()
    session.add(Match(comparison_id=row.id, rank=0, latent_id=target, score=0.9))


def experiment(catalog, invocation, probe, ref, *, finished: bool) -> int:
    with catalog.writing() as session:
        plan = {"class_name": "a", "concept": ref}
        hypothesis, _ = add_hypothesis(
            session,
            invocation,
            statement=f"{ref} matters",
            concept=parse_concept(ref),
            probe=probe,
            plan=plan,
            registered=True,
        )
        number = begin_experiment(
            session,
            invocation,
            hypothesis=hypothesis,
            seed=0,
            image_ids=[2, 4, 6],
            arms=[("target", {"latents": [2]}), ("random_directions", {"seed": [0, 1]})],
        )
        add_trials(session, number, [(0, {"margin": np.arange(4.0)})])
        if finished:
            add_trials(session, number, [(i, {"margin": np.arange(4.0) + i}) for i in (1, 2)])
            publish(session, number, hypothesis, ref)
    return number


def publish(session, number, hypothesis, ref) -> None:
    told = {"experiment": number, "hypothesis": hypothesis, "latents": [ref]}
    publish_experiment(
        session,
        number,
        verdict="refuted",
        effect=-1.0,
        ci=(-2.0, 0.0),
        p_value=0.5,
        report=told | {"labels": {ref: "x"}, "n_images": 3, "extras": {"rerun_of": number}},
    )


def told_of_family(catalog, experiments: list[int]) -> None:
    with catalog.writing() as session:
        for number in experiments:
            row = get_experiment(session, number)
            family = {"size": 2, "experiments": experiments, "holm_p": 0.5, "bh_p": 0.5}
            publish_experiment(
                session,
                number,
                verdict="refuted",
                effect=-1.0,
                ci=(-2.0, 0.0),
                p_value=0.5,
                report=(row.report or {}) | {"family": family},
            )


def one(catalog, read, *args):
    with catalog.reading() as session:
        return read(session, *args)


NAMED = {"dictionary": "sha256", "backbone": "digest", "image": "sha256", "artifact": "sha256"}
KEYS = {"image_set": ("name", "digest"), "latent": ("dictionary_id", "number")}
KEYS |= {"profile": ("dictionary_id", "image_set_id", "created"), "probe": ("artifact_id",)}


class Dump:
    """A catalog's rows with identities in the place of numbers, straight from the file."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as self.connection:
            self.connection.row_factory = sqlite3.Row
            tables = [
                name
                for (name,) in self.connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE "
                    "'label_words%' AND name NOT IN ('alembic_version', 'meta')"
                )
            ]
            self.rows = {table: self.table(table) for table in tables}

    def table(self, table: str) -> list[str]:
        where = "command != 'catalog merge'" if table == "invocation" else "1"
        where = "published" if table in ("dictionary", "profile") else where
        found = self.connection.execute(f'SELECT * FROM "{table}" WHERE {where}').fetchall()
        return sorted(json.dumps(self.told(table, row), default=repr) for row in found)

    def told(self, table: str, row: sqlite3.Row) -> dict:
        columns = {key: row[key] for key in row.keys() if key != "id"}  # noqa: SIM118
        for points in self.connection.execute(f'PRAGMA foreign_key_list("{table}")').fetchall():
            columns[points["from"]] = self.identity(points["table"], row[points["from"]])
        if table in ("dictionary", "probe"):
            del columns["name"]
        if table == "image":
            del columns["path"]
        if table == "experiment" and columns["report"]:
            columns["report"] = self.report(json.loads(columns["report"]))
        if table == "comparison":
            told = json.loads(columns["settings"])
            named = {"untrained_twin": self.named(told["untrained_twin"])}
            columns["settings"] = told | named | {"seen": self.ref(told["seen"][0])}
        return columns

    def report(self, told: dict) -> dict:
        told["experiment"] = self.identity("experiment", told["experiment"])
        told["hypothesis"] = self.identity("hypothesis", told["hypothesis"])
        told["latents"] = [self.ref(ref) for ref in told["latents"]]
        told["labels"] = {str(self.ref(ref)): text for ref, text in told["labels"].items()}
        told["extras"] = {"rerun_of": self.identity("experiment", told["extras"]["rerun_of"])}
        if "family" in told:
            told["family"]["experiments"] = [
                self.identity("experiment", number) for number in told["family"]["experiments"]
            ]
        return told

    def ref(self, ref: str) -> list:
        name, _, number = ref.partition(":")
        return [self.named(name), number]

    def named(self, name: str) -> str:
        query = "SELECT sha256 FROM dictionary WHERE name = ?"
        return self.connection.execute(query, (name,)).fetchone()[0]

    def identity(self, table: str, number: int | None) -> object:
        if number is None:
            return None
        row = self.connection.execute(f'SELECT * FROM "{table}" WHERE id = ?', (number,)).fetchone()
        if table in NAMED:
            return row[NAMED[table]]
        if table not in KEYS:
            return row["uuid"]
        points = {
            one["from"]: one["table"]
            for one in self.connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()
        }
        return [
            self.identity(points[key], row[key]) if key in points else row[key]
            for key in KEYS[table]
        ]


@pytest.fixture(scope="module")
def made(stocked, tmp_path_factory):
    """The catalogs of ada and bob, who began with the same one, with files beside them."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "INSIDE_BYTES", 2000)
        for who, offset in (("ada", 0), ("bob", 5)):
            (folder / who).mkdir()
            shutil.copy(stocked[0], folder / who / "catalog.db")
            with open_catalog(folder / who / "catalog.db", write=True) as catalog:
                work(catalog, who, offset)
    return folder


@pytest.fixture
def two(made, tmp_path):
    """Copies of them."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "ada" / "catalog.db", tmp_path / "bob" / "catalog.db"


def merged(target: Path, other: Path):
    with open_catalog(target, write=True) as catalog, catalog.begin("catalog merge", []):
        report = merge(catalog, other)
        with catalog.reading() as session:
            assert check(session).problems == []
        return report


def test_either_order_gives_the_same_rows_and_none_is_lost(two, tmp_path):
    ada, bob = two
    before = [Dump(path).rows for path in two]
    shutil.copytree(ada.parent, tmp_path / "ada first")
    report = merged(tmp_path / "ada first" / "catalog.db", bob)
    merged(bob, ada)
    first, second = Dump(tmp_path / "ada first" / "catalog.db").rows, Dump(bob).rows
    for table, rows in first.items():
        assert rows == second[table], table
        assert set(rows) == set(before[0][table]) | set(before[1][table]), table
    assert report.added == {
        "invocations": 1,
        "artifacts": 4,
        "backbones": 0,
        "images": 0,
        "image_sets": 1,
        "dictionaries": 2,
        "profiles": 1,
        "probes": 1,
        "observations": 1,
        "selections": 1,
        "comparisons": 1,
        "hypotheses": 3,
        "experiments": 3,
        "experiments_finished": 0,
        "labels": 5,
        "label_ends": 2,
        "label_scores": 1,
    }
    assert report.renamed == {"dictionary mine": "mine-2", "probe species": "species-2"}
    assert report.n_files >= 1


def test_a_second_merge_changes_nothing(two):
    ada, bob = two
    merged(ada, bob)
    once = Dump(ada).rows
    again = merged(ada, bob)
    assert set(again.added.values()) == {0}
    assert (again.n_files, again.renamed) == (0, {})
    assert Dump(ada).rows == once
    merged(bob, ada)
    assert set(merged(ada, bob).added.values()) == {0}


def test_what_came_can_be_used_under_its_new_name(two):
    ada, bob = two
    with open_catalog(bob) as catalog:
        theirs = one(catalog, show_experiment, 2)
    merged(ada, bob)
    with open_catalog(ada) as catalog, catalog.reading() as session:
        mine, yours = get_dictionary(session, "mine"), get_dictionary(session, "mine-2")
        assert read_checkpoint(session, mine) == b"checkpoint of ada"
        assert read_checkpoint(session, yours) == b"checkpoint of bob"
        assert len(read_checkpoint(session, get_dictionary(session, "large-bob"))) == 3000
        assert read_probe(session, get_probe(session, "species-2")) == b"probe of bob"
        shown = show_experiment(session, 5)
        assert shown.hypothesis.latents == ["mine-2:3"]
        assert shown.report["latents"] == ["mine-2:3"]
        assert shown.report["labels"] == {"mine-2:3": "x"}
        assert (shown.report["experiment"], shown.report["hypothesis"]) == (5, 5)
        assert shown.report["family"]["experiments"] == [4, 5]
        assert shown.rerun_of == 5
        assert [arm.effect for arm in shown.arms] == [arm.effect for arm in theirs.arms]
        assert [row.before for row in shown.trials] == [row.before for row in theirs.trials]
        assert last_observation(session).dictionary == "mine-2"
        (match,) = latest_matches(session, parse_concept("mine-2:7"))
        assert match.ref == "clip:8"
        assert [found.ref for found in search_labels(session, "bob second").results] == ["clip:3"]
        (row,) = label_history(session, parse_concept("mine-2:3"))
        assert (row.status, row.refuted_by) == ("refuted", 5)


def test_labels_that_differ_are_all_kept_and_told(two):
    report = merged(*two)
    assert [(one.ref, {label.text for label in one.labels}) for one in report.conflicts] == [
        ("clip:3", {"ada's second", "bob's second"})
    ]
    with open_catalog(two[0]) as catalog:
        history = one(catalog, label_history, parse_concept("clip:3"))
    assert sorted((row.text, row.status) for row in history) == [
        ("ada's first", "superseded"),
        ("ada's second", "current"),
        ("bob's first", "superseded"),
        ("bob's second", "current"),
    ]
    assert {row.text: row.score for row in history}["bob's second"]["auroc"] == 0.5


def test_an_experiment_that_one_of_two_went_on_with_is_finished_in_both(two, tmp_path):
    ada, _ = two
    there = tmp_path / "there"
    shutil.copytree(ada.parent, there)
    with open_catalog(there / "catalog.db", write=True) as catalog, catalog.writing() as session:
        add_trials(session, 3, [(i, {"margin": np.arange(4.0)}) for i in (1, 2)])
        publish(session, 3, get_experiment(session, 3).hypothesis.number, "mine:4")
    report = merged(ada, there / "catalog.db")
    assert report.added["experiments"] == 0
    assert report.added["experiments_finished"] == 1
    assert Dump(ada).rows == Dump(there / "catalog.db").rows


def test_a_catalog_of_an_older_schema_is_merged_without_being_changed(two):
    old = two[0].parent / "old.db"
    shutil.copy(DATA / "schema1.db", old)
    before = old.read_bytes()
    assert merged(two[0], old).added["labels"] == 4
    assert old.read_bytes() == before
    assert set(merged(two[0], old).added.values()) == {0}


def test_nothing_is_merged_from_what_is_damaged_or_no_catalog(two, tmp_path):
    ada, bob = two
    before = Dump(ada).rows
    large = next(path for path in (bob.parent / "catalog.files").rglob("*") if path.is_file())
    large.write_bytes(b"damaged")
    with pytest.raises(SaecliError, match=r"the \w+ \w+ of .*bob/catalog.db is damaged"):
        merged(ada, bob)
    large.unlink()
    with pytest.raises(SaecliError, match="is missing"):
        merged(ada, bob)
    with pytest.raises(SaecliError, match="no catalog at"):
        merged(ada, tmp_path / "nothing.db")
    with pytest.raises(SaecliError, match="is the catalog itself"):
        merged(ada, ada)
    assert Dump(ada).rows | {"invocation": None} == before | {"invocation": None}
    assert sorted(path.name for path in ada.parent.iterdir()) == ["catalog.db", "catalog.files"]


def test_a_merge_that_fails_in_the_middle_changes_nothing(two, monkeypatch):
    ada, bob = two
    before = Dump(ada).rows

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("saecli.catalog.merging.contents._bring_experiments", fail)
    with pytest.raises(KeyboardInterrupt):
        merged(ada, bob)
    assert Dump(ada).rows == before
