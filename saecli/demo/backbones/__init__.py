"""The two backbones of the built-in world: where they lie, and the scripts that trained them.

`python -m saecli.demo.backbones --help` lists the scripts. This module loads no torch.
"""

from pathlib import Path

_MODELS = Path(__file__).resolve().parent.parent / "models"

FOLDERS: dict[str, tuple[str, Path]] = {
    "fieldguide-clip": ("clip", _MODELS / "fieldguide-clip"),
    "fieldguide-dinov2": ("dinov2", _MODELS / "fieldguide-dinov2"),
}
"""Family and folder of every built-in backbone, by name."""

BUILT_IN: dict[str, str] = {name: f"{family}:{path}" for name, (family, path) in FOLDERS.items()}
"""The same as references that the ordinary loading code takes: `clip:FOLDER`, `dinov2:FOLDER`."""
