"""Makes `catalog.example.db` from the built-in world, by saecli's own commands.

`python -m saecli.cli.example catalog.example.db` takes some minutes. Every step is a command
line that could be typed, its seed fixed. The pictures on which latents are chosen
(`fieldguide:train`) are not those on which they are tested (`fieldguide:test`).
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from saecli.cli.app import main
from saecli.errors import SaecliError

AUTHOR = "the saecli example"
N_IMAGES = 1000  # pictures trained and profiled on: their thumbnails are most of the file
N_PATCHES = "3.3M"  # 800 steps; more explains more
GROUNDS = ("sand", "water", "grass", "sky")
PAIRS = (
    ("blue jay", "Clark's nutcracker", "wing"),
    ("tropical kingbird", "gray kingbird", "breast"),
    ("purple finch", "field sparrow", "head"),
)
TOP = 12  # latents of a set that is knocked out


def make(out: Path) -> None:
    """Write the example; an old one is replaced.

    Raises:
        SaecliError: if a step fails.
    """
    from saecli.catalog.example import make_example

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        _fill()
        Path("example.db").unlink(missing_ok=True)
        make_example(Path("catalog.db"), Path("example.db"))
        part = out.with_name(f".{out.name}.part")
        part.write_bytes(Path("example.db").read_bytes())
    part.replace(out)


def _fill() -> None:
    few = ("--n-images", N_IMAGES)
    _run("train", *few, "--n-patches", N_PATCHES)
    _run("train", "--untrained", *few, "--n-patches", N_PATCHES)
    best: dict[str, str] = {}
    for dictionary in ("clip", "dinov2"):
        for ground in GROUNDS:
            found = _run(
                *("detect", dictionary, "--images", "fieldguide:train", *few),
                *("--class", ground, "--top", 3),
            )
            first = found["latents"][0]
            best[f"{dictionary} {ground}"] = first["ref"]
            _label(first["ref"], ground, f"detects it with AUROC {first['auroc']:.3f}")
    sand = [row["ref"] for row in _run(
        *("detect", "dinov2", "--images", "fieldguide:train", *few, "--class", "sand"),
    )["latents"][:3]]  # fmt: skip
    for ground in GROUNDS:
        _run("compare", "--from", best[f"clip {ground}"], "--to", "dinov2")
    sets = {}
    for species, twin, part in PAIRS:
        found = _run(
            *("attribute", "clip", "--images", "fieldguide:train", "--probe", "clip-species"),
            *("--class", species, "--against", twin, "--top", TOP),
        )
        sets[species] = [row["ref"] for row in found["latents"]]
        _label(sets[species][0], f"{species}'s {part}", f"first by attribution against {twin}")
        _run("compare", "--from", sets[species][0], "--to", "dinov2")
    for species, twin, part in PAIRS:
        _test(
            *(f"its {part} makes it a {species}", sets[species], "--probe", "clip-species"),
            *("--class", species, "--expect", twin),
        )
    _test(
        *("it makes a patch sand", sand, "--probe", "dinov2-ground", "--class", "sand"),
        *("--n-images", 400),
    )
    picture, patches = _blue_wing()
    _run("inspect", picture, "--patches", patches)


def _blue_wing() -> tuple[str, str]:
    """A blue jay of the test pictures, and the patches of CLIP's grid on its wing."""
    import numpy as np
    from PIL import Image

    from saecli.images.sources import open_source
    from saecli.progress import SILENT
    from saecli.workflows.pictures import picture_path

    root = picture_path("fieldguide:test/", SILENT)
    classes = (root / "masks" / "classes.txt").read_text().split("\n")
    for file in open_source(root).files:
        if file.label != PAIRS[0][0]:
            continue
        mask = np.asarray(Image.open(root / "masks" / file.name))
        wing = (mask == classes.index("wing")).reshape(14, 8, 14, 8).mean(axis=(1, 3))
        patches = np.flatnonzero(wing.ravel() >= 0.8)
        if len(patches) >= 5:
            return f"fieldguide:test/{file.name}", ",".join(map(str, patches))
    raise SaecliError("no blue jay shows its wing", "look for the mistake in the built-in world")


def _test(statement: str, refs: list[str], *options: object) -> None:
    """State a hypothesis, then run it."""
    latents = [word for ref in refs for word in ("--latents", ref)]
    stated = _run(
        *("hypothesis", "add", statement, *latents, "--images", "fieldguide:test", *options)
    )
    _run("knockout", "--hypothesis", stated["number"])


def _label(ref: str, text: str, note: str) -> None:
    _run("label", ref, text, "--author", AUTHOR, "--note", note)


def _run(*args: object) -> Any:
    """Run one command line and return its document."""
    words = [str(arg) for arg in args]
    print("saecli", *words, file=sys.stderr, flush=True)
    sys.argv = ["saecli", *words]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main([*words, "--json"])
    if code:
        raise SaecliError(f"saecli {' '.join(words)} failed", "see above")
    return json.loads(out.getvalue())


if __name__ == "__main__":
    os.environ.pop("SAECLI_CATALOG", None)
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "catalog.example.db").resolve())
