"""A tiny set laid out like ADE20K's."""

from pathlib import Path

import numpy as np
from PIL import Image

TABLE = """Idx\tRatio\tTrain\tVal\tStuff\tName
1\t0.1576\t11664\t1172\t1\twall
2\t0.1072\t6046\t612\t1\tbuilding, edifice
3\t0.0878\t8265\t796\t1\tsky
"""


def write_ade(root: Path, n: int = 12, n_held_out: int = 4, size: int = 32) -> Path:
    """Pictures whose halves are two of the classes, each in a colour of its own; value 0 between.

    Returns:
        The root, `ADEChallengeData2016`.
    """
    rng = np.random.default_rng(0)
    colours = np.array([[0, 0, 0], [200, 60, 60], [60, 200, 60], [60, 60, 200]])
    root = root / "ADEChallengeData2016"
    for part, short, count in (("training", "train", n), ("validation", "val", n_held_out)):
        for folder in ("images", "annotations"):
            (root / folder / part).mkdir(parents=True)
        for number in range(count):
            mask = np.zeros((size, size), dtype=np.uint8)
            left, right = rng.permutation([1, 2, 3])[:2]
            mask[:, : size // 2 - size // 8] = left
            mask[:, size // 2 + size // 8 :] = right
            pixels = colours[mask] + rng.integers(0, 40, (size, size, 3))
            name = f"ADE_{short}_{number + 1:08}"
            Image.fromarray(pixels.astype(np.uint8)).save(root / "images" / part / f"{name}.jpg")
            Image.fromarray(mask, mode="L").save(root / "annotations" / part / f"{name}.png")
    (root / "objectInfo150.txt").write_text(TABLE)
    return root
