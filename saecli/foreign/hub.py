"""Files of Hugging Face repositories, `hf://ORG/NAME[/PATH]`, from the local cache or the hub."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from saecli.errors import SaecliError, one_of
from saecli.foreign.content import CONFIGS, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEME = "hf://"
CONNECT_SECONDS = 10.0
_PART = re.compile(r"[\w.-]+")
_BESIDE = (*CONFIGS, "activation_scaler.json", "activation_whitening.safetensors")


@dataclass(frozen=True)
class HubPath:
    """A repository, and a file or folder in it ("" for the whole)."""

    repo: str
    inside: str

    @property
    def shown(self) -> str:
        return f"{SCHEME}{self.repo}" + (f"/{self.inside}" if self.inside else "")


def is_hub(path: str) -> bool:
    """Whether a path names a repository."""
    return path.startswith(SCHEME)


def parse(path: str) -> HubPath:
    """Read `hf://ORG/NAME[/PATH]`.

    Raises:
        SaecliError: if it has another form, or a path that leaves the repository.
    """
    parts = path.removeprefix(SCHEME).strip("/").split("/")
    if len(parts) < 2 or not all(_PART.fullmatch(part) and part.strip(".") for part in parts):
        raise SaecliError(
            f"'{path}' names no file of a Hugging Face repository",
            "write hf://ORG/NAME or hf://ORG/NAME/PATH",
            usage=True,
        )
    return HubPath("/".join(parts[:2]), "/".join(parts[2:]))


def fetch(path: HubPath) -> Path:
    """The local place of a weights file with what stands beside it, downloaded if it isn't cached.

    Raises:
        SaecliError: if the hub can't be reached or has no such file, or the path names several.
    """
    names, cached = _cached(path), True
    if path.inside not in names:  # what is cached may be a part of the repository
        try:
            names, cached = _listed(path), False
        except SaecliError:
            if not names:
                raise
    wanted = _chosen(path, names)
    if wanted is None:
        raise SaecliError(f"{path.shown} holds no weights", "check the path")
    folder = str(PurePosixPath(wanted).parent)
    beside = [name if folder == "." else f"{folder}/{name}" for name in _BESIDE]
    run = [] if folder == "." else [f"{PurePosixPath(folder).parent}/config.json"]
    root = _snapshot(path, [wanted, *beside, *(one.removeprefix("./") for one in run)], cached)
    return root / wanted


def _chosen(path: HubPath, names: "Sequence[str]") -> str | None:
    """The one weights file that a path names, or None if there is none."""
    under = f"{path.inside}/" if path.inside else ""
    found = [
        name
        for name in names
        if name.endswith(WEIGHTS) and (name == path.inside or name.startswith(under))
    ]
    if len(found) > 1:
        raise SaecliError(
            f"{path.shown} holds {len(found)} files of weights",
            f"name one, as {SCHEME}{path.repo}/PATH: {one_of(found, most=8)}",
        )
    return found[0] if found else None


def _cached(path: HubPath) -> list[str]:
    """The files of a repository that lie in the local cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        root = Path(snapshot_download(path.repo, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        return []
    return sorted(one.relative_to(root).as_posix() for one in root.rglob("*") if one.is_file())


def _listed(path: HubPath) -> list[str]:
    """The files that the hub lists."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = HfApi().model_info(path.repo, timeout=CONNECT_SECONDS)
    except RepositoryNotFoundError as error:
        raise SaecliError(
            f"the Hugging Face hub shows no repository '{path.repo}'", "check the name"
        ) from error
    except Exception as error:  # a lost connection shows as any of a dozen kinds of error
        raise _offline(path) from error
    return [one.rfilename for one in info.siblings or []]


def _snapshot(path: HubPath, wanted: list[str], cached: bool) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                path.repo,
                allow_patterns=wanted,
                local_files_only=cached,
                etag_timeout=CONNECT_SECONDS,
            )
        )
    except Exception as error:
        raise _offline(path) from error


def _offline(path: HubPath) -> SaecliError:
    return SaecliError(
        f"{path.shown} isn't in the Hugging Face hub's local cache, and the hub can't be reached",
        "download the files where there is a network and give their folder instead",
    )
