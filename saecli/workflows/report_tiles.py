"""Pictures of a report: the catalog's thumbnails, cut to what the backbone sees."""

import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from sqlalchemy.orm import Session

from saecli.backbones.geometry import Geometry
from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.images import get_image, thumbnails
from saecli.catalog.latents import ExemplarMap, exemplar_maps
from saecli.demo.world import WORLD_VERSION
from saecli.images.decoding import UnreadableImage, content_hash, decode, thumbnail
from saecli.refs import BUILT_IN_PICTURES
from saecli.render.patches import crop_to_view
from saecli.render.report.content import Tile
from saecli.workflows.pictures import is_built_in
from saecli.workflows.places import cache_folder

SIDE = 192  # pixels of a tile's longer side, at most: thumbnails are 128
QUALITY = 80  # of WebP


def latent_tiles(
    session: Session, dictionary: DictionaryInfo, index: int, *, kind: str, top: int
) -> list[Tile]:
    """A latent's exemplars of one kind, in the catalog's order, with its maps."""
    maps = exemplar_maps(session, dictionary, index, kind=kind, top=top)
    return _tiles(session, dictionary, maps)


def picture_tiles(
    session: Session, dictionary: DictionaryInfo, images: Iterable[tuple[int, str]]
) -> list[Tile]:
    """Pictures (number, path) as a dictionary's backbone sees them, without a map.

    What the catalog keeps no thumbnail of is read from its file, if that is still there.
    """
    chosen = list(images)
    small = thumbnails(session, [image_id for image_id, _ in chosen])
    for image_id, path in chosen:
        if image_id not in small:
            found = _from_file(session, image_id, path)
            small |= {} if found is None else {image_id: found}
    return [
        Tile(
            picture=_seen(session, dictionary, image_id, small.get(image_id)),
            grid=dictionary.grid,
            map=None,
            patch=None,
            activation=None,
            name=Path(path).name,
        )
        for image_id, path in chosen
    ]


def _tiles(session: Session, dictionary: DictionaryInfo, maps: list[ExemplarMap]) -> list[Tile]:
    pictures = picture_tiles(
        session,
        dictionary,
        [(one.exemplar.image.id or 0, one.exemplar.image.path) for one in maps],
    )
    return [
        Tile(
            picture=tile.picture,
            grid=tile.grid,
            map=one.map,
            patch=one.exemplar.patch,
            activation=one.exemplar.activation,
            name=tile.name,
        )
        for tile, one in zip(pictures, maps, strict=True)
    ]


def _seen(
    session: Session, dictionary: DictionaryInfo, image_id: int, thumbnail: bytes | None
) -> bytes | None:
    """What the backbone sees of a picture; the thumbnail itself where that is all of it."""
    if thumbnail is None:
        return None
    info = get_image(session, image_id)
    geometry = Geometry.of(dictionary.backbone.image_transform)
    view = geometry.view(info.width, info.height)
    if _is_all(view, info.width, info.height):
        return thumbnail
    picture = Image.open(io.BytesIO(thumbnail))
    scale = picture.width / info.width
    left, top, right, bottom = (side * scale for side in view)
    longest = min(SIDE, max(right - left, bottom - top))
    grid = dictionary.grid
    most = max(grid.rows, grid.columns)
    size = (
        max(1, round(longest * grid.columns / most)),
        max(1, round(longest * grid.rows / most)),
    )
    packed = io.BytesIO()
    crop_to_view(picture, (left, top, right, bottom), size).save(packed, "WEBP", quality=QUALITY)
    return packed.getvalue()


def _from_file(session: Session, image_id: int, stored: str) -> bytes | None:
    """A thumbnail from the picture's file; None if it is gone, or another picture now."""
    path = Path(stored)
    if is_built_in(stored):
        split, _, name = stored.removeprefix(BUILT_IN_PICTURES).partition("/")
        path = cache_folder() / "fieldguide" / WORLD_VERSION / split / name
    try:
        if content_hash(path) != get_image(session, image_id).sha256:
            return None
        return thumbnail(decode(path))
    except UnreadableImage:
        return None


def _is_all(view: tuple[float, float, float, float], width: int, height: int) -> bool:
    beyond = (view[0], view[1], width - view[2], height - view[3])
    return all(abs(side) < 1 for side in beyond)
