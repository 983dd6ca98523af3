"""Digests of what a plan names, so that a changed folder or dictionary is noticed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saecli.catalog.hypotheses import HypothesisInfo
from saecli.errors import SaecliError
from saecli.images.decoding import UnreadableImage, content_hash
from saecli.images.sources import ImageFile
from saecli.progress import Progress
from saecli.workflows.plans import DIGESTS, Plan

UNREADABLE = "unreadable"  # in the place of such a picture's hash


def digest_of(value: object) -> str:
    """SHA-256 in hex of plain JSON values."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def pictures_digest(files: Sequence[ImageFile], progress: Progress) -> str:
    """Of pictures: their names, labels and bytes, in order."""
    rows = []
    with progress.task("hashing", len(files), "images") as task:
        for file in files:
            rows.append([file.name, file.label, _content(file.path)])
            task.advance(1)
    return digest_of(rows)


def files_digest(paths: Sequence[Path]) -> str:
    """Of files in order, by their bytes alone."""
    return digest_of([_content(path) for path in paths])


def _content(path: Path) -> str:
    try:
        return content_hash(path)
    except UnreadableImage:
        return UNREADABLE


CHANGED = {
    "dictionary": "the dictionary '{concept.dictionary}' was trained again",
    "backbone": "the backbone of '{concept.dictionary}' has other weights",
    "probe": "the probe '{probe}' was trained again",
    "profile": "'{concept.dictionary}' was profiled again over '{profile}'",
    "pictures": "the pictures of '{images}' changed",
    "masks": "the masks of '{images}' changed",
    "twins": "the twins in '{twins}' changed",
    "groups": "the groups in '{groups}' changed",
    "chosen": "other pictures of '{images}' count as {class_name}",
}
"""What is said of each digest that differs; the fields are the plan's."""


def check_unchanged(
    hypothesis: HypothesisInfo | None, plan: Plan, found: Mapping[str, Any]
) -> None:
    """Return if what a committed plan names is what it was; nothing to hold without one.

    Args:
        hypothesis: that was committed, or None.
        plan: its plan.
        found: digests by name, as many as are known yet.

    Raises:
        SaecliError: naming the first that changed.
    """
    if hypothesis is None:
        return
    stored = hypothesis.plan.get(DIGESTS, {})
    for name, words in CHANGED.items():
        if name in found and stored.get(name) != found[name]:
            raise SaecliError(
                f"{words.format(**vars(plan))} since hypothesis {hypothesis.number} was stated",
                "bring back what it was stated on, or state it anew (saecli hypothesis add … "
                f"--replaces {hypothesis.number})",
            )
