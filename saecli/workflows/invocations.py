"""What is stored of the surroundings of a command's run."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("saecli", "numpy", "torch", "open_clip_torch", "transformers", "sqlalchemy")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries whose code can change a figure.

    The thread count stands here too once torch is loaded: two thread counts need not give the
    same last bits.
    """
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    torch = sys.modules.get("torch")
    if torch is not None:
        found["threads"] = str(torch.get_num_threads())
    return found
