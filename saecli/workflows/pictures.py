"""The pictures a command works on: the built-in sets, a folder, a list; and their catalog rows."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from saecli.catalog.images import ImageSetInfo, Picture, record_image_set
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError, one_of
from saecli.images.sources import ImageFile, ImageSource, open_source
from saecli.progress import Progress
from saecli.refs import BUILT_IN_PICTURES
from saecli.workflows.places import cache_folder

if TYPE_CHECKING:
    from saecli.images.loading import ImageInfo, Skipped


_PART = re.compile(r"(.+) \((\d+) pictures\)")


def whole_set(name: str) -> tuple[str, int | None]:
    """The set that a part of it is named after, and how many of its pictures that has."""
    found = _PART.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


def open_pictures(spec: str, progress: Progress, *, n_images: int | None = None) -> ImageSource:
    """Find the pictures that ``--images`` names, writing a built-in set on its first use.

    Args:
        spec: a folder, a file of paths, `fieldguide:train` or `fieldguide:test`, or a part of
            one of these by the name that the catalog gave it (`fieldguide:train (300 pictures)`).
        n_images: take only so many, evenly spread over the set.

    Raises:
        SaecliError: if there are none.
    """
    check_named(spec)
    if n_images is None and not Path(spec).expanduser().exists():
        spec, n_images = whole_set(spec)
    if is_built_in(spec):
        source = _built_in(spec, progress)
    else:
        source = replace(open_source(spec), spec=str(Path(spec).expanduser().resolve()))
        source = _without_copies(source, progress)
    if n_images is not None and n_images < len(source.files):
        step = len(source.files) / n_images
        chosen = tuple(source.files[int(i * step)] for i in range(n_images))
        source = replace(source, spec=f"{source.spec} ({n_images} pictures)", files=chosen)
    return source


def check_named(spec: str) -> None:
    """Return if a name of pictures is more than blanks.

    Raises:
        SaecliError: if it isn't.
    """
    if not spec.strip():
        raise SaecliError(
            "the set of pictures has an empty name", "name a folder or a list", usage=True
        )


def _without_copies(source: ImageSource, progress: Progress) -> ImageSource:
    """Each picture of a class once, under its first name: a copy is no second exemplar or trial.

    Only files of equal size are read for it.
    """
    from saecli.images.decoding import size_of_file

    sizes = Counter(size_of_file(file.path) for file in source.files)
    kept: dict[tuple[str | None, str], ImageFile] = {}
    for file in source.files:
        size = size_of_file(file.path)
        alone = (
            size == 0 or sizes[size] == 1
        )  # a row of a table tells its size only when it is read
        kept.setdefault((file.label, file.name if alone else _bytes_of(file)), file)
    n_copies = len(source.files) - len(kept)
    if n_copies:
        progress.say(f"left out: {n_copies} copies of other pictures of {source.spec}")
    return replace(source, files=tuple(kept.values()))


def _bytes_of(file: ImageFile) -> str:
    """The hash of a file's bytes; of one that can't be read its name."""
    from saecli.images.decoding import UnreadableImage, content_hash

    try:
        return content_hash(file.path)
    except UnreadableImage:
        return file.name


def _built_in(spec: str, progress: Progress) -> ImageSource:
    from saecli.demo.writing import BUILT_IN_SETS, materialise

    split = spec.removeprefix(BUILT_IN_PICTURES)
    if split not in BUILT_IN_SETS:
        offered = one_of((BUILT_IN_PICTURES + name for name in BUILT_IN_SETS), spec)
        raise SaecliError(
            f"there is no built-in set '{spec}'", f"name one of {offered}", usage=True
        )
    return replace(open_source(materialise(cache_folder(), split, progress)), spec=spec)


def is_built_in(spec: str) -> bool:
    """Whether a set or a picture is of the built-in world."""
    return spec.startswith(BUILT_IN_PICTURES)


def stored_path(source: ImageSource, file: ImageFile) -> str:
    """A picture's path in the catalog; a built-in one's is the same on every machine."""
    if is_built_in(source.spec):
        return f"{source.spec.split(' ')[0]}/{file.name}"
    return str(file.path.resolve())


def picture_path(stored: str, progress: Progress) -> Path:
    """The file of a picture as the catalog (or a user) names it, drawn first if it is built in.

    Raises:
        SaecliError: if there is no such built-in set.
    """
    if not is_built_in(stored):
        return Path(stored).expanduser()
    name, _, rest = stored.partition("/")
    return _built_in(name, progress).root / rest


def with_labels(files: Sequence[ImageFile], labels: Iterable[str] | None = None) -> list[ImageFile]:
    """The files that are labelled (with one of the given labels, where any are given)."""
    wanted = None if labels is None else set(labels)
    return [
        file
        for file in files
        if file.label is not None and (wanted is None or file.label in wanted)
    ]


def stored_root(source: ImageSource) -> str:
    """A set's folder in the catalog; a built-in one's is the same on every machine."""
    return source.spec if is_built_in(source.spec) else str(source.root.resolve())


def register(
    catalog: Catalog,
    invocation: Invocation,
    source: ImageSource,
    images: Sequence[tuple[int, "ImageInfo"]],
    skipped: Sequence["Skipped"],
) -> ImageSetInfo:
    """Write an image set as it was read: (index into the source's files, what was found)."""
    pictures = [
        Picture(
            name=source.files[index].name,
            path=stored_path(source, source.files[index]),
            sha256=info.sha256,
            width=info.width,
            height=info.height,
            label=source.files[index].label,
            thumbnail=info.thumbnail,
        )
        for index, info in images
    ]
    return record_image_set(
        catalog,
        invocation.id,
        name=source.spec,
        root=stored_root(source),
        pictures=pictures,
        skipped=[(one.name, one.reason) for one in skipped],
    )


def say_skipped(skipped: Sequence["Skipped"], progress: Progress) -> None:
    """Say which pictures could not be read, where there are any."""
    if skipped:
        rest = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        progress.say(f"left out: {skipped[0].reason}{rest}")
