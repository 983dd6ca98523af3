"""Where a catalog lies: its path, the folder of files beside it, and the kind of file system."""

import os
import sys
from pathlib import Path, PurePath

VARIABLE = "SAECLI_CATALOG"
DEFAULT = Path("catalog.db")

# On these SQLite's shared-memory file does not work between machines: no WAL there.
NETWORK_TYPES = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "gpfs"),
        *("glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "smb3"),
        "smbfs",
    }
)


def catalog_path(path: str | Path | None = None) -> Path:
    """The catalog that is meant: ``path``, else ``SAECLI_CATALOG``, else ``./catalog.db``."""
    if path is not None:
        return Path(path).expanduser()
    named = os.environ.get(VARIABLE, "").strip()
    return Path(named).expanduser() if named else DEFAULT


def shown(path: Path) -> str:
    """A path as sentences show it: `./catalog.db` for one below the working folder."""
    try:
        inside = path.absolute().relative_to(Path.cwd())
    except ValueError:
        return str(path)
    return f".{os.sep}{inside}"


def files_folder(path: Path) -> Path:
    """The folder beside a catalog: `catalog.files/` for `catalog.db`."""
    return path.with_name(path.stem + ".files")


def on_network(path: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Whether a path lies on a network file system, as far as this system tells."""
    if sys.platform == "win32":
        return str(path.absolute()).startswith("\\\\")
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return False
    folder = PurePath(os.path.realpath(path)).parent
    held = [
        (len(PurePath(point).parts), kind)
        for line in lines
        if len(parts := line.split(" ")) > 2
        for point, kind in [(parts[1].replace("\\040", " "), parts[2])]
        if folder.is_relative_to(point)
    ]
    return bool(held) and max(held, key=lambda found: found[0])[1] in NETWORK_TYPES
