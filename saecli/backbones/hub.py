"""Models named by their Hugging Face hub name: from the local cache, else downloaded."""

import re
from collections.abc import Sequence
from pathlib import Path

from saecli.backbones.folders import first_detail
from saecli.backbones.silence import quiet
from saecli.errors import SaecliError

_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")

CONNECT_SECONDS = 10.0  # huggingface_hub's own default; without a network it fails at once


def snapshot(
    repo: str,
    *,
    config: str | None,
    weights: Sequence[str],
    extras: Sequence[str] = (),
    shown: str,
    folder_form: str,
) -> Path:
    """The local folder of a hub model's files. What is cached is used without a look at the hub.

    Args:
        repo: `ORG/NAME`.
        config: a file that must be there, or None.
        weights: file patterns, best first; the first that the repository holds is fetched. Empty:
            none is wanted.
        extras: further files, fetched where the hub has them; a cached model without them counts
            as incomplete, since it may have been cached by a program that didn't need them.
        shown: how the user named the model.
        folder_form: how a local folder is named instead, as in `clip:FOLDER`.

    Raises:
        SaecliError: if the name is malformed, the hub can't be reached, has no such model, or the
            model lacks the files.
    """
    if not _NAME.fullmatch(repo):
        raise SaecliError(
            f"'{shown}' is neither a folder nor a hub name",
            f"check the path and write {folder_form}, or a hub name as ORG/NAME",
        )
    for cached in (True, False):
        for pattern in weights or ("",):
            wanted = [name for name in (config, pattern, *extras) if name]
            folder = _download(repo, wanted, cached=cached, shown=shown, folder_form=folder_form)
            if folder is None:
                break
            needed = [name for name in (config, *(extras if cached else ())) if name]
            has_config = all((folder / name).is_file() for name in needed)
            if has_config and (not pattern or any(folder.glob(pattern))):
                return folder
    files = " and ".join(name for name in (config, " or ".join(weights)) if name)
    raise SaecliError(
        f"neither the Hugging Face hub nor its local cache gives {files} of '{shown}'",
        f"name another model, or a local folder as {folder_form}",
    )


def _download(
    repo: str, wanted: list[str], *, cached: bool, shown: str, folder_form: str
) -> Path | None:
    """The snapshot's folder; None if it must come from the cache and isn't there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        with quiet():
            return Path(
                snapshot_download(
                    repo,
                    allow_patterns=wanted,
                    local_files_only=cached,
                    etag_timeout=CONNECT_SECONDS,
                )
            )
    except RepositoryNotFoundError as error:
        raise SaecliError(
            f"'{shown}' is neither a local folder nor a model that the Hugging Face hub shows",
            f"check the name, or give a local folder as {folder_form}",
        ) from error
    except LocalEntryNotFoundError as error:
        if cached:
            return None
        raise SaecliError(
            f"'{shown}' is no local folder, isn't whole in the Hugging Face hub's local cache, "
            "and the hub can't be reached",
            f"download it where there is a network and give its folder as {folder_form}",
        ) from error
    except Exception as error:  # a lost connection shows as any of a dozen kinds of error
        raise SaecliError(
            f"'{shown}' can't be downloaded from the Hugging Face hub ({first_detail(error)})",
            f"download it where there is a network and give its folder as {folder_form}",
        ) from error
