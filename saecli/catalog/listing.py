"""What `list` reports.

Plain SQL on SQLite's own connection: a command that people type all the time shall not first
load SQLAlchemy, its mapper and every table, which takes several times as long as its five queries.
"""

import json
import sqlite3
from contextlib import closing

from saecli.catalog.connections import connect
from saecli.catalog.failures import translated
from saecli.catalog.opening import Catalog
from saecli.records import (
    BackboneRow,
    CatalogList,
    DictionaryRow,
    ExperimentRow,
    ImageSetRow,
    ProbeRow,
)

_DICTIONARIES = """
    SELECT d.name, b.name, d.layer, b.rows, b.columns, b.d_model, d.n_latents, d.activation,
        d.explained_variance, d.l0, d.dead_fraction, d.untrained,
        d.id = coalesce((SELECT default_dictionary_id FROM meta), 0)
    FROM dictionary AS d JOIN backbone AS b ON b.id = d.backbone_id
    WHERE d.published ORDER BY d.created, d.id
"""
# Of several versions behind one name, the newest.
_BACKBONES = """
    SELECT name, family, source FROM backbone
    WHERE id IN (SELECT max(id) FROM backbone WHERE NOT untrained GROUP BY name) ORDER BY id
"""
_IMAGE_SETS = """
    SELECT name, n_images,
        (SELECT count(*) FROM skipped_picture WHERE image_set_id = image_set.id)
    FROM image_set WHERE id IN (SELECT max(id) FROM image_set GROUP BY name) ORDER BY id
"""
_PROBES = """
    SELECT p.name, b.name, p.task, p.classes, p.accuracy, p.mean_iou
    FROM probe AS p JOIN backbone AS b ON b.id = p.backbone_id ORDER BY p.created, p.id
"""
_EXPERIMENTS = """
    SELECT e.id, e.hypothesis_id, e.verdict, h.registered
    FROM experiment AS e JOIN hypothesis AS h ON h.id = e.hypothesis_id
    WHERE e.verdict IS NOT NULL ORDER BY e.id
"""
_TESTED_BEFORE = """
    SELECT h.id, e.id FROM hypothesis AS h
    JOIN hypothesis AS other ON other.plan_hash = h.plan_hash AND other.id != h.id
    JOIN experiment AS e ON e.hypothesis_id = other.id
    WHERE e.verdict IS NOT NULL AND e.created < h.created ORDER BY e.id
"""


def list_all(catalog: Catalog) -> CatalogList:
    """Everything in the catalog that has a name or a number.

    Raises:
        SaecliError: if the catalog can't be read.
    """
    with translated(catalog.name), closing(connect(catalog.path, write=False)) as connection:
        connection.execute("BEGIN")  # one state for all five
        return CatalogList(
            dictionaries=_dictionaries(connection),
            backbones=[BackboneRow(*row) for row in connection.execute(_BACKBONES)],
            image_sets=[ImageSetRow(*row) for row in connection.execute(_IMAGE_SETS)],
            probes=_probes(connection),
            experiments=_experiments(connection),
        )


def _experiments(connection: sqlite3.Connection) -> list[ExperimentRow]:
    before: dict[int, list[int]] = {}
    for hypothesis, experiment in connection.execute(_TESTED_BEFORE):
        before.setdefault(hypothesis, []).append(experiment)
    return [
        ExperimentRow(number, hypothesis, verdict, bool(registered), before.get(hypothesis, []))
        for number, hypothesis, verdict, registered in connection.execute(_EXPERIMENTS)
    ]


def _dictionaries(connection: sqlite3.Connection) -> list[DictionaryRow]:
    return [
        DictionaryRow(
            name=name,
            backbone=backbone,
            layer=layer,
            grid=[rows, columns],
            d_model=d_model,
            n_latents=n_latents,
            activation=activation,
            explained_variance=explained_variance,
            l0=l0,
            dead_fraction=dead_fraction,
            untrained=bool(untrained),
            default=bool(default),
        )
        for (
            name,
            backbone,
            layer,
            rows,
            columns,
            d_model,
            n_latents,
            activation,
            explained_variance,
            l0,
            dead_fraction,
            untrained,
            default,
        ) in connection.execute(_DICTIONARIES)
    ]


def _probes(connection: sqlite3.Connection) -> list[ProbeRow]:
    return [
        ProbeRow(name, backbone, task, json.loads(classes), accuracy, mean_iou)
        for name, backbone, task, classes, accuracy, mean_iou in connection.execute(_PROBES)
    ]
