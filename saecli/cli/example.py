"""Makes `catalog.example.db` from the built-in world, by saecli's own commands.

`python -m saecli.cli.example catalog.example.db` takes some minutes. Every step is a command
line that could be typed, its seed fixed. Latents are chosen on `fieldguide:train` and on pictures
of other seeds, and tested on `fieldguide:test`, once.
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
PROFILED = 400  # pictures profiled on: signatures and thumbnails are most of the file
EXEMPLARS = 5  # strongest pictures kept of each latent
CONCEPT = "crash"  # of postcards: captions alone unite its four symbols
N_CONCEPT, CONCEPT_SEED = 400, 31  # pictures that show it or don't
PARTS = (("blue", "wing"), ("yellow", "breast"))
N_PARTS, PARTS_SEED = 200, 32
PAIRS = (
    ("blue jay", "Clark's nutcracker", "wing", "grey"),
    ("tropical kingbird", "gray kingbird", "breast", "grey"),
    ("purple finch", "field sparrow", "head", "brown"),
)
MOST = 13  # latents of a set that is knocked out
LOST = 0.5  # share of its activation that a latent of the set loses in the twin, at least
TESTED = 500  # pictures on which sand is knocked out


def make(out: Path) -> None:
    """Write the example; an old one is replaced.

    Raises:
        SaecliError: if a step fails.
    """
    from saecli.catalog.example import make_example

    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path.cwd()
        _fill()
        make_example(Path("catalog.db"), Path("example.db"), folder=folder, shrink=_shrink)
        part = out.with_name(f".{out.name}.part")
        part.write_bytes(Path("example.db").read_bytes())
    part.replace(out)


def _fill() -> None:
    _train()
    refs = _detect()
    _compare(refs)
    sets = _attribute()
    for species, twin, part, _ in PAIRS:
        _test(
            *(f"its {part} makes it a {species}", sets[species], "--probe", "clip-species"),
            *("--class", species, "--expect", twin),
        )
    _test(
        *("a yellow breast makes it a blue jay", refs["clip yellow breast"][:3]),
        *("--probe", "clip-species", "--class", "blue jay", "--expect", "Clark's nutcracker"),
    )
    # At 0 three latents change little, since others say sand too: chosen on fieldguide:train.
    _test(
        *("it makes a patch sand", refs["dinov2 sand"][:3], "--value", "set:-2"),
        *("--probe", "dinov2-ground", "--class", "sand", "--n-images", TESTED),
    )
    picture, patches = _blue_wing()
    _run("inspect", picture, "--patches", patches)


def _train() -> None:
    """Dictionaries from all training pictures, profiles over some of them."""
    _run("train", "--no-profile")
    _run(
        *("train", "--untrained", "--backbone", "fieldguide-dinov2", "--name", "dinov2-untrained"),
        *("--preset", "fieldguide", "--no-profile"),
    )
    for dictionary in ("clip", "dinov2", "dinov2-untrained"):
        _run(
            *("profile", dictionary, "--images", "fieldguide:train", "--n-images", PROFILED),
            *("--exemplars", EXEMPLARS),
        )


def _detect() -> dict[str, list[str]]:
    """The best latents for grounds, parts of birds and a concept, by dictionary and name."""
    refs = {}
    for dictionary in ("clip", "dinov2"):
        for ground in ("sand", "water"):
            refs[f"{dictionary} {ground}"] = _best(
                *(ground, dictionary, "--images", "fieldguide:train", "--n-images", PROFILED),
                *("--class", ground),
            )
    for colour, part in PARTS:
        _draw(part, N_PARTS, PARTS_SEED, "--counterfactual", f"{part}={colour}")
        refs[f"clip {colour} {part}"] = _best(
            f"{colour} {part}", "clip", "--images", part, "--class", part
        )
    _draw(CONCEPT, N_CONCEPT, CONCEPT_SEED, "--concept", CONCEPT)
    _draw("postcards", N_CONCEPT, CONCEPT_SEED, "--kind", "postcard")
    refs[f"clip {CONCEPT}"] = _best(
        CONCEPT, "clip", "--positives", CONCEPT, "--negatives", "postcards"
    )
    return refs


def _best(name: str, dictionary: str, *where: object) -> list[str]:
    """A concept's five best latents; the first is labelled with its name."""
    found = _run("detect", dictionary, *where)["latents"]
    _label(found[0]["ref"], name, f"detects it with AUROC {found[0]['auroc']:.3f}")
    return [row["ref"] for row in found]


def _compare(refs: dict[str, list[str]]) -> None:
    for name, (first, *_) in refs.items():
        if name.startswith("clip"):
            _run("compare", "--from", first, "--to", "dinov2")
    _run("compare", "--from", refs["dinov2 sand"][0], "--to", "clip")


def _attribute() -> dict[str, list[str]]:
    """For each pair the latents that a species rests on and that its twin lacks."""
    sets = {}
    for species, twin, part, other in PAIRS:
        _draw(f"twins-{part}", 4000, 1, "--counterfactual", f"{part}={other}")
        found = _run(
            *("attribute", "clip", "--images", "fieldguide:train", "--probe", "clip-species"),
            *("--class", species, "--against", twin, "--twins", f"twins-{part}"),
        )
        kept = [row["ref"] for row in found["latents"] if row["twin_loss"] >= LOST]
        sets[species] = kept[:MOST]
    return sets


def _draw(folder: str, n: int, seed: int, *what: str) -> None:
    _run("demo", "--out", folder, "--n", n, "--seed", seed, *what)


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


def _shrink(thumbnail: bytes) -> bytes:
    """WebP at half the bytes."""
    from PIL import Image

    packed = io.BytesIO()
    Image.open(io.BytesIO(thumbnail)).save(packed, "WEBP", quality=50, method=6)
    return packed.getvalue()


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
