"""The comparison's own errors on the built-in world, whose truth is known.

Grounds and plumage are seen by both built-in backbones; what the postcards mean (a crash, Brazil,
Egypt, France, Japan) is known to CLIP alone. A concept's latents in `clip` are those whose largest
activation on a picture tells the concept best (AUROC on one half of the signature's pictures).
Recall is the share of the common concepts' latents that `compare` gives a counterpart; the
counterpart is right if it tells the same concept on the other half, nearly as well as its source.
A counterpart of a latent of CLIP's own concepts is false.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.opening import open_catalog
from saecli.progress import SILENT
from saecli.search.matching import compare_latent
from saecli.workflows.patterns import Shared
from saecli.workflows.pictures import open_pictures

GROUNDS = ("sand", "water", "grass", "rock", "snow", "earth", "tree", "sky")
PLUMAGE = (
    ("wing", "blue"),
    ("wing", "red"),
    ("wing", "green"),
    ("breast", "yellow"),
    ("breast", "orange"),
    ("breast", "red"),
)
OWN = ("crash", "brazil", "egypt", "france", "japan")
COVERED = 0.05  # of a picture that a ground must cover
LATENTS = 3  # of each concept
TELLS = 0.75  # AUROC from which a latent counts as one of a concept
NEARLY = 0.05  # of AUROC that a right counterpart may fall behind its source


def truths(positions: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Which of the pictures show each concept."""
    source = open_pictures("fieldguide:train", SILENT)
    told = {}
    for line in (source.root / "truth.jsonl").read_text().splitlines():
        row = json.loads(line)
        told[row["file"]] = row
    rows = [told[source.files[position].name] for position in positions.tolist()]
    classes = (source.root / "masks" / "classes.txt").read_text().split()
    cover = np.zeros((len(rows), len(classes)))
    for i, row in enumerate(rows):
        mask = np.asarray(Image.open(source.root / row["mask"]))
        cover[i] = np.bincount(mask.ravel(), minlength=len(classes))[: len(classes)] / mask.size
    found = {name: cover[:, classes.index(name)] >= COVERED for name in GROUNDS}
    for part, colour in PLUMAGE:
        shown = [(row["attributes"] or {}).get(part) == colour for row in rows]
        found[f"{colour} {part}"] = np.array(shown)
    for name in OWN:
        found[name] = np.array([row["concept"] == name for row in rows])
    return found


def rates(path: Path) -> None:
    """Compare each concept's latents, and count what is found and what should not be."""
    with open_catalog(path) as catalog, catalog.reading() as session:
        clip, dinov2 = (get_dictionary(session, name) for name in ("clip", "dinov2"))
        shared = Shared.open(session, clip, dinov2)
        from saecli.catalog.statistics import read_signature

        positions, _ = read_signature(session, shared.profile)
    known = truths(positions)
    half = np.arange(len(positions)) % 2 == 0
    counted = {"both": [0, 0, 0], "own": [0, 0, 0]}
    for name, shown in known.items():
        if shown[half].sum() < 10 or shown[~half].sum() < 10:
            print(f"{name:16} left out: too few pictures")
            continue
        chosen = _best(shared.source.signatures, shown, half)
        tally = counted["own" if name in OWN else "both"]
        for latent in chosen:
            found = compare_latent(
                shared.source.signatures[latent],
                shared.target,
                untrained=shared.untrained,
                maps=shared.maps,
                latent=latent,
            )
            own = roc_auc_score(shown[~half], shared.source.signatures[latent][~half])
            tally[0] += 1
            if found.counterpart is None:
                print(f"{name:16} clip:{latent:<4} {own:.2f}  none: {found.reason}")
                continue
            theirs = shared.target.signatures[found.counterpart][~half]
            other = roc_auc_score(shown[~half], theirs)
            tally[1] += 1
            tally[2] += other >= own - NEARLY
            r = found.matches[0].score
            print(
                f"{name:16} clip:{latent:<4} {own:.2f}  dinov2:{found.counterpart:<4} "
                f"{other:.2f}  r {r:.2f}"
            )
    both, alone = counted["both"], counted["own"]
    print(
        f"both know: {both[1]} of {both[0]} latents have a counterpart, {both[2]} a right one; "
        f"CLIP alone knows: {alone[1]} of {alone[0]} have one (false)"
    )


def _best(
    signatures: NDArray[np.floating], shown: NDArray[np.bool_], half: NDArray[np.bool_]
) -> list[int]:
    scores = np.array([roc_auc_score(shown[half], row[half]) for row in signatures])
    order = np.argsort(-scores, kind="stable")[:LATENTS]
    return [int(i) for i in order if scores[i] >= TELLS]
