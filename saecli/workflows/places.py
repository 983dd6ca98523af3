"""Where saecli keeps what can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder for the built-in world's pictures: `SAECLI_CACHE`, else the user's cache."""
    named = os.environ.get("SAECLI_CACHE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("saecli", appauthor=False)
