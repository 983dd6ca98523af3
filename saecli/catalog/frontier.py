"""What `list --frontier` reports; in plain SQL, as `listing` is."""

from collections.abc import Sequence
from contextlib import closing

from saecli.catalog.connections import connect
from saecli.catalog.failures import translated
from saecli.catalog.opening import Catalog
from saecli.records import FrontierDictionary, FrontierGroup

_DICTIONARIES = """
    SELECT d.backbone_id, d.layer, d.image_set, b.name, d.untrained, d.name, d.n_latents,
        coalesce(json_extract(d.settings, '$.objective'), d.activation),
        d.l0, d.explained_variance, d.dead_fraction
    FROM dictionary AS d JOIN backbone AS b ON b.id = d.backbone_id
    WHERE d.published AND d.l0 IS NOT NULL AND d.explained_variance IS NOT NULL
    ORDER BY min(d.id) OVER (PARTITION BY d.backbone_id, d.layer, d.image_set), d.l0, d.id
"""


def frontier(catalog: Catalog) -> list[FrontierGroup]:
    """Dictionaries by what they explain against how many latents are active.

    Figures are comparable only where backbone, layer and pictures are the same; each such group
    stands alone, sparsest first.

    Raises:
        SaecliError: if the catalog can't be read.
    """
    groups: dict[tuple[object, ...], list[tuple[object, ...]]] = {}
    with translated(catalog.name), closing(connect(catalog.path, write=False)) as connection:
        for row in connection.execute(_DICTIONARIES):
            groups.setdefault(row[:5], []).append(row[5:])
    return [_group(key, rows) for key, rows in groups.items()]


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which (L0, explained variance) no other point beats in one without losing in the other."""
    return [
        not any(
            other_l0 <= l0 and other >= explained and (other_l0, other) != (l0, explained)
            for other_l0, other in points
        )
        for l0, explained in points
    ]


def _group(key: tuple[object, ...], rows: list[tuple[object, ...]]) -> FrontierGroup:
    _, layer, image_set, backbone, untrained = key
    best = pareto([(row[3], row[4]) for row in rows])  # type: ignore[misc]
    return FrontierGroup(
        backbone=str(backbone),
        layer=int(str(layer)),
        image_set=None if image_set is None else str(image_set),
        untrained=bool(untrained),
        dictionaries=[
            FrontierDictionary(*row, pareto=is_best)  # type: ignore[arg-type, misc]
            for row, is_best in zip(rows, best, strict=True)
        ],
    )
