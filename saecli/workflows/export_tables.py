"""A dictionary's latents, exemplars and labels as Parquet, for pandas, DuckDB, R, …

Written with pyarrow, which is an extra (`pip install 'saecli[tables]'`). Each file's schema says
under the key `saecli` which catalog, dictionary and profile it is of.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.dumping import DumpedLatent, dump_latents, histogram_edges
from saecli.catalog.maintenance import catalog_identity
from saecli.catalog.opening import Catalog
from saecli.catalog.portable_labels import portable_labels
from saecli.catalog.profiles import ProfileInfo
from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.progress import Progress
from saecli.records import as_json
from saecli.refs import latent_ref

BATCH = 1024  # latents in memory at a time, and in a row group


def write_tables(
    catalog: Catalog, info: DictionaryInfo, profile: ProfileInfo, out: Path, progress: Progress
) -> list[Path]:
    """Write `latents.parquet`, `exemplars.parquet` and `labels.parquet`, each whole or not at all.

    Args:
        catalog: with the dictionary.
        info: the dictionary.
        profile: whose figures and exemplars.
        out: the folder; it is made where there is none.
        progress: of the latents.

    Raises:
        SaecliError: if pyarrow isn't installed, or the place can't be written.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise SaecliError(
            "Parquet is written with pyarrow, which isn't installed",
            "install it with pip install 'saecli[tables]'",
        ) from None
    with catalog.reading() as session:
        said = {
            **catalog_identity(session),
            "dictionary": info.name,
            "dictionary_sha256": info.sha256,
            "image_set": profile.image_set.name,
            "image_set_digest": profile.image_set.digest,
            "n_images": profile.n_images,
            "n_patches": profile.n_patches,
            "grid": [info.grid.rows, info.grid.columns],
            "histogram_edges": histogram_edges(session, profile).tolist(),
        }
        labels = portable_labels(session, dictionary=info.name)
    metadata = {"saecli": json.dumps(said)}
    latents = pa.schema(_latent_fields(pa), metadata)
    exemplars = pa.schema(_exemplar_fields(pa), metadata)
    paths = [out / f"{name}.parquet" for name in ("latents", "exemplars", "labels")]
    with (
        write_whole(paths[0]) as first,
        write_whole(paths[1]) as second,
        pq.ParquetWriter(first, latents, compression="zstd") as to_latents,
        pq.ParquetWriter(second, exemplars, compression="zstd") as to_exemplars,
        catalog.reading() as session,
        progress.task("latents written", info.n_latents, "latents") as task,
    ):
        for batch in dump_latents(session, info, profile, batch=BATCH):
            rows = [_latent_row(info, latent) for latent in batch]
            to_latents.write_table(pa.Table.from_pylist(rows, latents))
            rows = [row for latent in batch for row in _exemplar_rows(info, latent)]
            to_exemplars.write_table(pa.Table.from_pylist(rows, exemplars))
            task.advance(len(batch))
    rows = [
        asdict(label)
        | {
            "evidence": None if label.evidence is None else json.dumps(label.evidence),
            "closures": json.dumps(as_json(label.closures)),
        }
        for label in labels
    ]
    table = pa.Table.from_pylist(rows, pa.schema(_label_fields(pa), metadata))
    with write_whole(paths[2]) as third:
        pq.write_table(table, third, compression="zstd")
    return paths


def _latent_fields(pa: Any) -> list[Any]:
    return [
        *(pa.field("ref", pa.string()), pa.field("index", pa.int32())),
        *(pa.field("n_active", pa.int64()), pa.field("density", pa.float64())),
        *(pa.field("mean_activation", pa.float64()), pa.field("max_activation", pa.float64())),
        pa.field("histogram", pa.list_(pa.int64())),
        pa.field("monosemanticity", pa.float64()),
        *(pa.field("label", pa.string()), pa.field("automatic_label", pa.string())),
    ]


def _latent_row(info: DictionaryInfo, latent: DumpedLatent) -> dict[str, Any]:
    return {
        "ref": latent_ref(info.name, latent.index),
        "index": latent.index,
        "n_active": latent.n_active,
        "density": latent.density,
        "mean_activation": latent.mean_activation,
        "max_activation": latent.max_activation,
        "histogram": latent.histogram,
        "monosemanticity": latent.monosemanticity,
        "label": latent.label,
        "automatic_label": latent.automatic_label,
    }


def _exemplar_fields(pa: Any) -> list[Any]:
    return [
        *(pa.field("ref", pa.string()), pa.field("index", pa.int32())),
        *(pa.field("kind", pa.string()), pa.field("rank", pa.int16())),
        *(pa.field("image", pa.string()), pa.field("image_sha256", pa.string())),
        *(pa.field("patch", pa.int32()), pa.field("row", pa.int16())),
        *(pa.field("column", pa.int16()), pa.field("activation", pa.float64())),
        pa.field("map_patches", pa.list_(pa.int32())),
        pa.field("map_values", pa.list_(pa.float32())),
    ]


def _exemplar_rows(info: DictionaryInfo, latent: DumpedLatent) -> list[dict[str, Any]]:
    return [
        {
            "ref": latent_ref(info.name, one.index),
            "index": one.index,
            "kind": one.kind,
            "rank": one.rank,
            "image": one.path,
            "image_sha256": one.sha256,
            "patch": one.patch,
            "row": one.patch // info.grid.columns,
            "column": one.patch % info.grid.columns,
            "activation": one.activation,
            "map_patches": one.map_patches,
            "map_values": one.map_values,
        }
        for one in latent.exemplars
    ]


def _label_fields(pa: Any) -> list[Any]:
    texts = ("ref", "text", "author", "kind", "status", "note", "evidence", "uuid", "supersedes")
    return [
        *(pa.field(name, pa.string()) for name in (*texts, "dictionary", "closures")),
        pa.field("created", pa.timestamp("us", tz="UTC")),
        pa.field("confidence", pa.float64()),
    ]
