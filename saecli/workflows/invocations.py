"""What is stored of the surroundings of a command's run."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("saecli", "numpy", "torch", "open_clip_torch", "transformers", "sqlalchemy")


def versions(device: str | None = None) -> dict[str, str]:
    """Versions of Python and of the libraries whose code can change a figure.

    Once torch is loaded the thread count stands here too (two thread counts need not give the
    same last bits), and what the device that was asked for (`auto`) is on this machine.
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
        if device is not None:
            from saecli.backbones import resolve_device

            found["device"] = resolve_device(device)
    return found
