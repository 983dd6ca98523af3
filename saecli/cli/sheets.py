"""The contact sheets of `inspect` and `show`: pictures from the catalog, drawn and written."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sqlalchemy.orm import Session

from saecli.backbones.geometry import Geometry
from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary
from saecli.catalog.images import get_image, thumbnails
from saecli.catalog.latents import ExemplarMap, exemplar_maps
from saecli.catalog.opening import Catalog
from saecli.records import ExplanationReport, InspectReport, ShowReport
from saecli.refs import Concept, parse_latent
from saecli.render.dose_figure import dose_figure
from saecli.render.figures import SegmentedPicture, probability_bars, segmentation_figure
from saecli.render.knockout_table import concept, edit_words
from saecli.render.numbers import figure, share
from saecli.render.pictures import (
    Attention,
    ExemplarTile,
    LatentRow,
    below_one_another,
    contact_sheet,
    exemplar_sheet,
    grid_of_pictures,
)
from saecli.render.saving import save_picture

if TYPE_CHECKING:
    from saecli.workflows.inspect import Seen
    from saecli.workflows.knockout import Finished

DEMO_PICTURES, DEMO_COLUMNS = 48, 12
FIGURE_PICTURES = 4  # of a segmentation experiment
EXEMPLARS = 6  # beside each latent of an observation
SECTIONS = {
    "top": "strongest",
    "quantile": "from weak to strong",
    "random": "random actives",
    "near_miss": "silent, and nearest to firing",
}


def write_inspect_sheet(catalog: Catalog, report: InspectReport, seen: "Seen", out: Path) -> None:
    """Draw an observation: the picture with its grid, each latent with its exemplars.

    Where a prediction was explained, Grad-CAM of the same class stands beside them.
    """
    with catalog.reading() as session:
        info = get_dictionary(session, report.dictionary)
        rows = []
        for number, latent in enumerate(report.latents):
            index = parse_latent(latent.ref).latents[0]
            maps = exemplar_maps(session, info, index, top=EXEMPLARS)
            words = [latent.label] if latent.label else []
            if latent.attribution is not None:
                words.append(f"attribution {figure(latent.attribution, 3)} nats")
                words.append(f"knocked out {figure(latent.effect, 3)}")
            words.append(f"activation {figure(latent.activation)}")
            if latent.density is not None:
                words.append(f"density {share(latent.density)}")
            rows.append(
                LatentRow(
                    title=latent.ref,
                    subtitle=" · ".join(words),
                    map=seen.maps[number],
                    exemplars=_tiles(session, info, maps),
                )
            )
    whole = len(seen.patches) == info.grid.n_patches
    chosen = "the whole picture" if whole else f"patches {_ranges(seen.patches)}"
    sheet = contact_sheet(
        seen.image,
        seen.view,
        info.grid,
        () if whole else seen.patches,
        rows,
        title=Path(report.image.path).name,
        subtitle=f"{report.dictionary} · {chosen} · observation {report.observation}",
        attention=None if report.explanation is None else _grad_cam(report.explanation),
    )
    save_picture(sheet, out)


def _grad_cam(told: ExplanationReport) -> Attention:
    against = f" over {told.against}" if told.against else ""
    return Attention(
        title="Grad-CAM: where the network looks",
        subtitle=f"{told.class_}{against} · {told.probe} gives it {share(told.probability)}",
        map=np.array(told.grad_cam),
    )


def write_latent_sheet(session: Session, concept: Concept, report: ShowReport, out: Path) -> None:
    """Draw a latent's exemplars of every kind."""
    info = get_dictionary(session, concept.dictionary)
    sections = [
        (name, _tiles(session, info, exemplar_maps(session, info, concept.latents[0], kind=kind)))
        for kind, name in SECTIONS.items()
    ]
    words = [report.label] if report.label else []
    if report.density is not None:
        words.append(f"density {share(report.density)}")
    if report.max_activation is not None:
        words.append(f"maximum {figure(report.max_activation)}")
    sheet = exemplar_sheet(report.ref, " · ".join(words), info.grid, sections)
    save_picture(sheet, out)


def write_experiment_figure(done: "Finished", out: Path) -> None:
    """Draw an experiment: patches' classes before and after, or the classes' probabilities.

    Where it has doses, their curve stands below.
    """
    report = done.report
    picture = _experiment_picture(done)
    if report.doses:
        picture = below_one_another([picture, dose_figure(report, title="Dose and response")])
    save_picture(picture, out)


def _experiment_picture(done: "Finished") -> Image.Image:
    report, bench = done.report, done.trial.bench
    stated = "registered" if report.registered else "exploratory"
    edit = f"{concept(report.latents)} set {edit_words(report.value, report.scope)}"
    title = f"experiment {report.experiment} ({stated}): {edit}"
    if bench.probe.task != "segmentation":
        return probability_bars(report.before, report.after, title=title)
    from saecli.images.decoding import decode
    from saecli.workflows.segmented import segmented

    rows = []
    for one in segmented(done, FIGURE_PICTURES):
        image = decode(one.file.path)
        view = bench.backbone.geometry.view(image.width, image.height)
        rows.append(SegmentedPicture(image, view, one.before, one.after, one.truth, one.file.name))
    grid = done.trial.info.grid
    return segmentation_figure(rows, grid, bench.probe.classes, title=title)


def write_demo_sheet(folder: Path, out: Path) -> None:
    """Draw the first pictures of a folder side by side."""
    paths = sorted(folder.glob("*.png"))[:DEMO_PICTURES]
    pictures = [Image.open(path).convert("RGB") for path in paths]
    save_picture(grid_of_pictures(pictures, columns=DEMO_COLUMNS, tile=112), out)


def _tiles(session: Session, info: DictionaryInfo, maps: list[ExemplarMap]) -> list[ExemplarTile]:
    geometry = Geometry.of(info.backbone.image_transform)
    ids = [one.exemplar.image.id for one in maps if one.exemplar.image.id is not None]
    small = thumbnails(session, ids)
    tiles = []
    for one, image_id in zip(maps, ids, strict=True):
        image = get_image(session, image_id)
        data = small.get(image_id)
        picture = (
            Image.open(io.BytesIO(data)).convert("RGB")
            if data
            else Image.new("RGB", (image.width, image.height), "grey")
        )
        scale = picture.width / image.width
        left, top, right, bottom = geometry.view(image.width, image.height)
        tiles.append(
            ExemplarTile(
                thumbnail=picture,
                view=(left * scale, top * scale, right * scale, bottom * scale),
                map=one.map,
                patch=one.exemplar.patch,
                caption=f"{figure(one.exemplar.activation)} {Path(image.path).stem}",
            )
        )
    return tiles


def _ranges(patches: tuple[int, ...]) -> str:
    """`3, 10-13`: runs of patches, shortened after a while."""
    runs: list[list[int]] = []
    for patch in patches:
        if runs and patch == runs[-1][1] + 1:
            runs[-1][1] = patch
        else:
            runs.append([patch, patch])
    shown = [f"{a}-{b}" if a != b else str(a) for a, b in runs[:8]]
    return ", ".join(shown) + (" …" if len(runs) > 8 else "")
