"""Where on this machine lies what the catalog names the same on every machine."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder for the built-in world's pictures: `SAECLI_CACHE`, else the user's cache."""
    named = os.environ.get("SAECLI_CACHE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("saecli", appauthor=False)


def backbone_source(stored: str) -> str:
    """A backbone's source as the catalog names it; of a built-in one, its folder."""
    from saecli.demo.backbones import FOLDERS

    return str(FOLDERS[stored][1]) if stored in FOLDERS else stored
