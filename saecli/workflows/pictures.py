"""The pictures a command works on: the built-in sets, a folder, a list; and their catalog rows."""

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


def open_pictures(spec: str, progress: Progress, *, n_images: int | None = None) -> ImageSource:
    """Find the pictures that ``--images`` names, writing a built-in set on its first use.

    Args:
        spec: a folder, a file of paths, or `fieldguide:train` or `fieldguide:test`.
        n_images: take only so many, evenly spread over the set.

    Raises:
        SaecliError: if there are none.
    """
    if spec.startswith(BUILT_IN_PICTURES):
        source = _built_in(spec, progress)
    else:
        source = replace(open_source(spec), spec=str(Path(spec).expanduser().resolve()))
    if n_images is not None and n_images < len(source.files):
        step = len(source.files) / n_images
        chosen = tuple(source.files[int(i * step)] for i in range(n_images))
        source = replace(source, spec=f"{source.spec} ({n_images} pictures)", files=chosen)
    return source


def _built_in(spec: str, progress: Progress) -> ImageSource:
    from saecli.demo.writing import BUILT_IN_SETS, materialise

    split = spec.removeprefix(BUILT_IN_PICTURES)
    if split not in BUILT_IN_SETS:
        offered = one_of((BUILT_IN_PICTURES + name for name in BUILT_IN_SETS), spec)
        raise SaecliError(
            f"there is no built-in set '{spec}'", f"name one of {offered}", usage=True
        )
    return replace(open_source(materialise(cache_folder(), split, progress)), spec=spec)


def _is_built_in(spec: str) -> bool:
    return spec.startswith(BUILT_IN_PICTURES)


def stored_path(source: ImageSource, file: ImageFile) -> str:
    """A picture's path in the catalog; a built-in one's is the same on every machine."""
    if _is_built_in(source.spec):
        return f"{source.spec.split(' ')[0]}/{file.name}"
    return str(file.path.resolve())


def picture_path(stored: str, progress: Progress) -> Path:
    """The file of a picture as the catalog (or a user) names it, drawn first if it is built in.

    Raises:
        SaecliError: if there is no such built-in set.
    """
    if not _is_built_in(stored):
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
        root=source.spec if _is_built_in(source.spec) else source.root.resolve(),
        pictures=pictures,
        skipped=[(one.name, one.reason) for one in skipped],
    )
