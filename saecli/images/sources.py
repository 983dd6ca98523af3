"""Where pictures come from: a folder of any depth or a list of paths, with their labels."""

import csv
import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from saecli.errors import SaecliError, one_of
from saecli.images.ade20k import OBJECT_INFO, object_names
from saecli.images.containers import is_container
from saecli.images.folders import CLASSES_FILE, SUFFIXES, walk
from saecli.images.shards import expand, find_containers, list_members

LABELS_FILE = "labels.csv"


@dataclass(frozen=True)
class ImageFile:
    """One picture file.

    Args:
        path: where it lies.
        name: its path relative to the source's root, with forward slashes.
        label: the class it was given, or None.
    """

    path: Path
    name: str
    label: str | None


@dataclass(frozen=True)
class ImageSource:
    """The pictures that a specification named, sorted by name (by code point)."""

    spec: str
    root: Path
    files: tuple[ImageFile, ...]


def open_source(spec: str | Path) -> ImageSource:
    """List the pictures of a folder, or of a text file that holds one path a line.

    In a folder, every file with a picture's suffix counts, at any depth and in any case, except
    hidden files and folders (their name starts with a dot) and folders of masks: those that hold
    a classes.txt, are called `masks` below a folder that holds one, or `annotations` beside
    ADE20K's table of classes. Paths in a list are
    relative to the list.

    A folder without pictures may hold shards instead: tar files (WebDataset's layout or any
    other), Parquet files, or Hugging Face datasets that were saved to disk. One such file is a set
    too, and so is `shard-{000..009}.tar`.

    Labels come from labels.csv in the root (columns `file` and `label`), else from the shards, else
    from class folders (where two or more folders of the first level hold pictures, each is a
    class), else there are none.

    Raises:
        SaecliError: if there is no such folder or list, it names no picture, a listed picture is
            missing, a name isn't valid Unicode, or labels.csv doesn't fit the pictures.
    """
    path = Path(spec).expanduser()
    labels: dict[str, str] | None = None
    if path.is_dir():
        root, paths = path, dict(walk(path))
        if not paths:
            paths, labels = list_members(root, find_containers(root))
    elif path.is_file() and is_container(path):
        root = path
        paths, labels = list_members(root, [path])
    elif path.is_file():
        root, paths = path.parent, _read_list(path)
    elif shards := expand(str(spec)):
        root = Path(os.path.commonpath([shard.parent for shard in shards]))
        paths, labels = list_members(root, shards)
    else:
        raise SaecliError(
            f"there is no folder or list of pictures at '{spec}'",
            "give a folder of pictures, or a text file with one path a line",
        )
    if not paths:
        raise SaecliError(
            f"'{spec}' holds no pictures",
            "give a folder or list with " + ", ".join(sorted(s[1:] for s in SUFFIXES)) + " files",
        )
    for name in paths:
        _check_unicode(name)
    if labels is None or (root / LABELS_FILE).is_file():
        labels = _labels(root, paths)
    files = (ImageFile(paths[name], name, labels.get(name)) for name in sorted(paths))
    return ImageSource(str(spec), root, tuple(files))


def find_mask(masks: Path, image: ImageFile) -> Path:
    """The PNG mask that belongs to a picture.

    Looked for by the picture's relative stem (`train/a` for `train/a.jpg`), then by its stem
    alone, each in the folder itself and in its `masks` subfolder.

    Raises:
        SaecliError: if there is none.
    """
    stem = str(PurePosixPath(image.name).with_suffix(""))
    for name in (f"{stem}.png", f"{PurePosixPath(stem).name}.png"):
        for folder in (masks, masks / "masks"):
            candidate = folder / name
            if candidate.is_file() and not _same_file(candidate, image.path):
                return candidate
    raise SaecliError(
        f"'{image.name}' has no mask in {masks}",
        f"put a PNG of class indices there with the picture's stem, as in {stem}.png",
    )


def read_classes(masks: Path) -> tuple[str, ...]:
    """The class names of a folder of masks: line i of classes.txt, from 0, names index i.

    The file is looked for in the folder and in up to two of its parents; so is ADE20K's table of
    classes (`saecli.images.ade20k`).

    Raises:
        SaecliError: if there is none, it names no class, or names one twice.
    """
    for folder in (masks, *masks.absolute().parents[:2]):
        file, table = folder / CLASSES_FILE, folder / OBJECT_INFO
        if file.is_file():
            break
        if table.is_file():
            return object_names(table, _read_text(table))
    else:
        raise SaecliError(
            f"there is no {CLASSES_FILE} in {masks} or the two folders above it",
            "write one there: a class name a line, in the order of the masks' indices",
        )
    classes = tuple(line.strip() for line in _read_text(file).rstrip().splitlines())
    repeated = [name for name in classes if not name or classes.count(name) > 1]
    if repeated or not classes:
        found = f"names '{repeated[0]}' twice" if repeated and repeated[0] else "has an empty line"
        raise SaecliError(f"{file} {found}", "write one class name a line, each once")
    return classes


def read_group_table(file: Path) -> dict[str, str]:
    """Which group each picture is of: what belongs together (frames of one film, one photographer).

    Args:
        file: CSV with the columns ``file`` (the picture's path relative to its set's folder) and
            ``group``.

    Returns:
        the group by the picture's name; empty where it gives none.

    Raises:
        SaecliError: if there is no such file, or it has other columns.
    """
    if not file.is_file():
        raise SaecliError(
            f"there is no table of groups at '{file}'", "give a CSV file with columns file,group"
        )
    return _read_column(file, "group")


def read_labels(file: Path, source: ImageSource) -> ImageSource:
    """The same pictures with the labels that a table gives them; those it doesn't name have none.

    Args:
        file: CSV with the columns ``file`` (a picture's path relative to the set's folder) and
            ``label``.
        source: the pictures.

    Raises:
        SaecliError: if there is no such file, it has other columns, or labels none of them.
    """
    if not file.is_file():
        raise SaecliError(
            f"there is no table of labels at '{file}'", "give a CSV file with columns file,label"
        )
    labels = _read_labels(file, {image.name: image.path for image in source.files})
    files = (replace(image, label=labels.get(image.name)) for image in source.files)
    return replace(source, files=tuple(files))


def _read_list(file: Path) -> dict[str, Path]:
    if file.name.lower().endswith((".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")):
        raise SaecliError(
            f"'{file}' is a compressed tar archive, which can't be read in places",
            "write it uncompressed, or unpack it",
        )
    if file.suffix.lower() in SUFFIXES:
        raise SaecliError(
            f"'{file}' is a single picture",
            "give its folder, or a text file with one path a line",
        )
    paths: dict[str, Path] = {}
    missing = []
    for line in _read_text(file).splitlines():
        if not line.strip():
            continue
        path = file.parent / Path(line).expanduser()
        if not path.is_file():
            missing.append(line)
        paths[Path(os.path.relpath(path, file.parent)).as_posix()] = path
    if missing:
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SaecliError(
            f"{file} lists '{missing[0]}'{rest}, which can't be found",
            "write one path a line, absolute or relative to the list",
        )
    return paths


def _labels(root: Path, paths: dict[str, Path]) -> dict[str, str]:
    """The label of each picture that has one."""
    if (root / LABELS_FILE).is_file():
        return _read_labels(root / LABELS_FILE, paths)
    folders = {name: name.split("/")[0] for name in paths if "/" in name}
    return folders if len(set(folders.values())) > 1 else {}


def _read_labels(file: Path, paths: dict[str, Path]) -> dict[str, str]:
    labels = _read_column(file, "label")
    found = {name: labels[name] for name in paths if labels.get(name)}
    if not found:
        raise SaecliError(
            f"{file} labels none of the pictures",
            f"write their paths relative to the set's folder, as in {min(paths)}",
        )
    return found


def _read_column(file: Path, name: str) -> dict[str, str]:
    """A column of a CSV file by its column ``file``."""
    rows = csv.DictReader(_read_text(file).splitlines())
    columns = {(column or "").strip().lower(): column for column in rows.fieldnames or ()}
    if "file" not in columns or name not in columns:
        raise SaecliError(
            f"{file} has the columns {one_of(columns)}", f"give it a header line: file,{name}"
        )
    return {
        PurePosixPath(row[columns["file"]] or "").as_posix(): (row[columns[name]] or "").strip()
        for row in rows
    }


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SaecliError(f"'{file}' is no text in UTF-8", "save it as plain UTF-8 text") from error
    except OSError as error:
        raise SaecliError(
            f"'{file}' can't be read ({error.strerror})", "check its permissions"
        ) from error


def _check_unicode(name: str) -> None:
    """Names are stored as UTF-8; bytes that the file system couldn't decode can't be."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode(errors="backslashreplace").decode()
        raise SaecliError(f"the file name '{shown}' isn't UTF-8", "rename the file") from error


def _same_file(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
