"""Sets of pictures whose files are containers: one, a folder of them, or `shard-{000..009}.tar`."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from saecli.errors import SaecliError
from saecli.images.containers import ARROW, Member, is_container, members

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def find_containers(folder: Path) -> list[Path]:
    """The containers below a folder, by name; hidden ones and Hugging Face's indices left out.

    Raises:
        SaecliError: if a Hugging Face dataset was saved with an index over its rows.
    """
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(root)
        kept = [here / name for name in sorted(names) if not name.startswith(".")]
        wanted = _listed(here)
        found += [
            path
            for path in kept
            if is_container(path)
            and (path.suffix.lower() != ARROW or wanted is None or path.name in wanted)
        ]
    return sorted(found)


def _listed(folder: Path) -> set[str] | None:
    """The Arrow files that a saved dataset's state names; None where there is no state."""
    state = folder / "state.json"
    if not state.is_file():
        return None
    try:
        content = json.loads(state.read_bytes())
        files = {one["filename"] for one in content["_data_files"]}
        indexed = bool(content.get("_indices_data_files"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if indexed:
        raise SaecliError(
            f"the dataset in '{folder}' was saved with an index over its rows",
            "save it again after flatten_indices()",
        )
    return files


def expand(spec: str) -> list[Path]:
    """The files that `shard-{000..009}.tar` names, WebDataset's way; none for another text.

    Raises:
        SaecliError: if one of them isn't there.
    """
    found = _RANGE.search(spec)
    if found is None:
        return []
    first, last, width = int(found[1]), int(found[2]), len(found[1])
    names = [
        spec[: found.start()] + f"{number:0{width}}" + spec[found.end() :]
        for number in range(first, last + 1)
    ]
    paths = [path for name in names for path in (expand(name) or [Path(name).expanduser()])]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SaecliError(
            f"'{spec}' names {missing[0]}{rest}, which can't be found", "check the numbers"
        )
    return paths


def list_members(root: Path, containers: Sequence[Path]) -> tuple[dict[str, Path], dict[str, str]]:
    """Path and label by name, of all pictures of some containers.

    Labels are the containers' own, else the first folder within them where there are several.
    """
    paths: dict[str, Path] = {}
    inner: dict[str, str] = {}
    labels: dict[str, str] = {}
    for container in containers:
        before = "" if container == root else container.relative_to(root).as_posix() + "/"
        for member in members(container):
            paths[before + member.name] = container / member.name
            folder = _folder(member)
            if folder is not None:
                inner[before + member.name] = folder
            if member.label is not None:
                labels[before + member.name] = member.label
    if not labels and len(set(inner.values())) > 1:
        labels = inner
    return paths, labels


def _folder(member: Member) -> str | None:
    return member.name.split("/")[0] if "/" in member.name else None
