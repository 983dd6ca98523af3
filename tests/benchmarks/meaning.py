"""How well `saecli search --meaning` finds latents: `python -m tests.benchmarks.meaning`.

On a catalog of `saecli train` (profiled on fieldguide:train). For each concept of the built-in
world the truth is known picture by picture. The five latents that a search lists first are scored
by the AUROC of their largest activations for the concept's pictures; the figure is what they reach
over chance as a share of what the five best latents do. Beside it stands the obvious other way: the
cosine of the words with the mean CLIP embedding of a latent's exemplars, weighted by activation.
"""

import argparse
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.finding import clip_backbones, pictures_at
from saecli.catalog.images import thumbnails
from saecli.catalog.latents import exemplars
from saecli.catalog.opening import Catalog, open_catalog
from saecli.catalog.profiles import get_profile
from saecli.catalog.statistics import read_signature
from saecli.demo.writing import materialise
from saecli.progress import SILENT
from saecli.search.enrichment import class_enrichment
from saecli.search.neighbours import correlations, ranked
from saecli.workflows.clip_reading import embed, text_embedding
from saecli.workflows.models import load_backbone, reference_of
from saecli.workflows.places import cache_folder

CONCEPTS = (
    *("sand", "water", "grass", "rock", "snow", "Brazil", "Egypt", "France", "Japan"),
    *("blue jay", "painted bunting", "purple finch", "blue wing", "yellow breast"),
)
FIRST = 5  # latents that a user looks at
EXEMPLARS = 16


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalog", default="catalog.db")
    parser.add_argument("--dictionaries", nargs="+", default=["clip", "dinov2"])
    options = parser.parse_args(arguments)
    truth = read_truth()
    with open_catalog(options.catalog) as catalog:
        for name in options.dictionaries:
            measure(catalog, name, truth)


def read_truth() -> dict[str, str]:
    """What is said of each picture of fieldguide:train, by file name."""
    lines = (materialise(cache_folder(), "train") / "truth.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    keys = ("caption", "habitat", "attributes", "species", "concept")
    return {
        one["file"]: json.dumps([one.get(key) for key in keys]).replace('": "', " ").lower()
        for one in told
    }


def measure(catalog: Catalog, name: str, truth: dict[str, str]) -> None:
    """Print both ways' figures for a dictionary."""
    with catalog.reading() as session:
        dictionary = get_dictionary(session, name)
        profile = get_profile(session, dictionary)
        positions, signatures = read_signature(session, profile)
        everything = pictures_at(session, profile.image_set, np.arange(profile.image_set.n_images))
        small = thumbnails(session, [one.image_id for one in everything])
        shown = exemplars(session, dictionary, range(dictionary.n_latents), top=EXEMPLARS)
        clip = load_backbone(reference_of(clip_backbones(session)[0]), SILENT)
    embeddings = embed(clip, [small[one.image_id] for one in everything], SILENT)
    row = {one.image_id: i for i, one in enumerate(everything)}
    means = np.zeros((dictionary.n_latents, embeddings.shape[1]))
    for latent, found in shown.items():
        weights = np.array([one.activation for one in found])
        means[latent] = weights @ embeddings[[row[one.image.id or 0] for one in found]]
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    words = [truth[everything[position].path.rpartition("/")[2]] for position in positions]
    reached: dict[str, list[float]] = {"search": [], "exemplars": []}
    for concept in CONCEPTS:
        has = np.array([all(part in told for part in concept.lower().split()) for told in words])
        auroc = class_enrichment(signatures, has).auroc
        best = np.sort(auroc)[-FIRST:].mean() - 0.5
        text = text_embedding(clip, concept)
        ways = {
            "search": correlations(embeddings[positions] @ text, signatures),
            "exemplars": np.where(means.any(axis=1), means @ text, np.nan),
        }
        line = [f"{name:8}{concept:18}{int(has.sum()):5} pictures"]
        for way, scores in ways.items():
            reached[way].append(share_of_best(auroc, scores, best))
            line.append(f"{way} {reached[way][-1]:5.2f}")
        print("  ".join(line))
    print(f"{name}: " + ", ".join(f"{way} {np.mean(all_):.2f}" for way, all_ in reached.items()))


def share_of_best(auroc: NDArray[np.float64], scores: NDArray[np.float64], best: float) -> float:
    """What the first latents reach over chance, of what the best do."""
    return float((auroc[ranked(scores)[:FIRST]].mean() - 0.5) / best)


if __name__ == "__main__":
    main()
