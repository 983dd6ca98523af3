"""A dictionary's latents in the JSON that SAEDashboard writes and Neuronpedia's tools convert.

The layout is that of `NeuronpediaDashboardBatch` in sae-dashboard 0.8.0
(`sae_dashboard/neuronpedia/neuronpedia_dashboard.py`): files `batch-0.json`, `batch-1.json`, …
It was made for text. Here a prompt is a picture: its first token is the picture's path (value 0),
the others are `row,column` of the patches where the latent fires, with the activation. What only
text has (logits, tokens that are promoted) is left empty, and so are correlations and vectors.
The layout has no place for labels: `saecli labels export` writes them.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.dumping import DumpedExemplar, DumpedLatent, dump_latents, histogram_edges
from saecli.catalog.opening import Catalog
from saecli.catalog.profiles import ProfileInfo
from saecli.files import write_whole
from saecli.progress import Progress

BATCH = 128  # latents a file, as Neuronpedia's own runs have it
_EMPTY = (
    *("neuron_alignment_indices", "neuron_alignment_values", "neuron_alignment_l1"),
    *("correlated_neurons_indices", "correlated_neurons_l1", "correlated_neurons_pearson"),
    *("correlated_features_indices", "correlated_features_l1", "correlated_features_pearson"),
    *("neg_str", "neg_values", "pos_str", "pos_values"),
    *("logits_hist_data_bar_heights", "logits_hist_data_bar_values"),
    *("decoder_weights_dist", "vector"),
)


def write_dashboard(
    catalog: Catalog, info: DictionaryInfo, profile: ProfileInfo, out: Path, progress: Progress
) -> list[Path]:
    """Write `batch-0.json`, `batch-1.json`, …, each whole or not at all.

    Args:
        catalog: with the dictionary.
        info: the dictionary.
        profile: whose figures and exemplars.
        out: the folder; it is made where there is none.
        progress: of the latents.

    Raises:
        SaecliError: if the place can't be written.
    """
    paths: list[Path] = []
    with (
        catalog.reading() as session,
        progress.task("latents written", info.n_latents, "latents") as task,
    ):
        edges = histogram_edges(session, profile)
        for batch in dump_latents(session, info, profile, batch=BATCH):
            told = {
                "model_id": info.backbone.name,
                "layer": info.layer,
                "sae_set": info.name,
                "sae_id_suffix": None,
                "features": [_feature(info, profile, latent, edges) for latent in batch],
            }
            paths.append(out / f"batch-{len(paths)}.json")
            with write_whole(paths[-1]) as file:
                file.write(json.dumps(told, ensure_ascii=False, allow_nan=False).encode())
            task.advance(len(batch))
    return paths


def _feature(
    info: DictionaryInfo, profile: ProfileInfo, latent: DumpedLatent, edges: NDArray[np.float64]
) -> dict[str, Any]:
    shown = np.flatnonzero(latent.histogram)
    bins = slice(shown[0], shown[-1] + 1) if len(shown) else slice(0, 0)
    middles = np.sqrt(edges[:-1] * edges[1:])  # the bins are log-spaced
    return {
        "feature_index": latent.index,
        **{name: [] for name in _EMPTY},
        "frac_nonzero": latent.density,
        "freq_hist_data_bar_values": [round(float(middle), 5) for middle in middles[bins]],
        "freq_hist_data_bar_heights": latent.histogram[bins].tolist(),
        "n_prompts_total": profile.n_images,
        "n_tokens_in_prompt": info.grid.n_patches,
        "dataset": profile.image_set.name,
        "activations": [
            _activation(info, one, latent.max_activation)
            for kind in ("top", "quantile")
            for one in latent.exemplars
            if one.kind == kind
        ],
    }


def _activation(info: DictionaryInfo, one: DumpedExemplar, largest: float) -> dict[str, Any]:
    """A picture; −1 marks what is no share of an interval, as the top activations have it."""
    tokens = [one.path]
    tokens += [f"{p // info.grid.columns},{p % info.grid.columns}" for p in one.map_patches]
    at = np.flatnonzero(one.map_patches == one.patch)
    return {
        "bin_min": -1.0 if one.kind == "top" else 0.0,
        "bin_max": largest,
        "bin_contains": -1.0,
        "tokens": tokens,
        "values": [0.0, *(round(float(value), 5) for value in one.map_values)],
        "qualifying_token_index": int(at[0]) + 1 if len(at) else 0,
    }
