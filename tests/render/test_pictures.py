"""Contact sheets and figures: complete, readable, and the same every time."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from saecli.grid import Grid
from saecli.records import ClassProbability
from saecli.render import colours
from saecli.render.figures import SegmentedPicture, probability_bars, segmentation_figure
from saecli.render.patches import crop_to_view
from saecli.render.pictures import (
    Attention,
    ExemplarTile,
    LatentRow,
    contact_sheet,
    exemplar_sheet,
    grid_of_pictures,
)

GRID = Grid(14, 14)
LONG = "grass at the horizon in front of water or sand " * 10


@pytest.fixture(scope="module")
def cat():
    return Image.fromarray(data.chelsea())  # 451 × 300


def square(image):
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return (left, top, left + side, top + side)


def peak(grid, patch, value=1.0):
    values = np.zeros(grid.n_patches, dtype=np.float32)
    values[patch] = value
    return values


def tile(image, grid=GRID, patch=30, caption="1.00 [cat]"):
    small = image.copy()
    small.thumbnail((128, 128))
    return ExemplarTile(small, square(small), peak(grid, patch), patch, caption)


def sheet_of(cat, rows, patches=(3, 4), grid=GRID):
    return contact_sheet(
        cat, square(cat), grid, patches, rows, title="[bold]cat.png", subtitle=LONG
    )


def test_a_sheet_grows_with_its_rows_and_exemplars(cat):
    row = LatentRow("clip:12", "blue wing", peak(GRID, 3), [tile(cat)] * 3)
    wider = LatentRow("clip:12", "blue wing", peak(GRID, 3), [tile(cat)] * 6)
    one, six, deep = sheet_of(cat, [row]), sheet_of(cat, [wider]), sheet_of(cat, [row] * 8)
    assert six.width > one.width == deep.width
    assert deep.height > one.height


def test_where_a_network_looks_stands_below_the_picture(cat):
    """Its map is drawn on the view alone: the patch with all the weight is coloured, no other."""
    row = LatentRow("clip:12", "blue wing", peak(GRID, 3), [tile(cat)])
    looked = Attention("Grad-CAM", LONG, peak(GRID, 0))
    plain = sheet_of(cat, [row])
    sheet = contact_sheet(
        cat,
        square(cat),
        GRID,
        (3, 4),
        [row],
        title="[bold]cat.png",
        subtitle=LONG,
        attention=looked,
    )
    assert sheet.width == plain.width
    assert sheet.height > plain.height + 440
    top = np.asarray(sheet)[: plain.height - 80]
    assert (top == np.asarray(plain)[: plain.height - 80]).all()
    drawn = np.asarray(sheet)[plain.height - 24 + 48 :, 24 : 24 + 440].astype(int)[:440]
    seen = np.asarray(crop_to_view(cat, square(cat), (440, 440))).astype(int)
    moved = np.abs(drawn - seen).sum(axis=-1)
    assert moved[5:25, 5:25].mean() > 60
    spread = np.ptp(drawn[60:], axis=-1)  # without weight a patch is nearly grey
    assert spread.mean() < np.ptp(seen[60:], axis=-1).mean() / 2


def test_the_same_input_gives_the_same_sheet(cat):
    rows = [LatentRow("clip:12", "blue wing", peak(GRID, 3), [tile(cat)])]
    assert sheet_of(cat, rows).tobytes() == sheet_of(cat, rows).tobytes()


def test_long_labels_are_cut_and_stay_on_the_sheet(cat):
    short = LatentRow("clip:12", "x", peak(GRID, 3), [tile(cat)])
    long = LatentRow("clip:12", LONG, peak(GRID, 3), [tile(cat)])
    sheet = sheet_of(cat, [long])
    assert sheet.size == sheet_of(cat, [short]).size
    margin = np.asarray(sheet)[:, -20:]
    assert (margin == colours.PAPER).all()


@pytest.mark.parametrize("label", ["", "[red]", "синее крыло", "青い翼", "🦜", "a\nb", "\x1b[31m"])
def test_any_label_can_be_written(cat, label):
    assert sheet_of(cat, [LatentRow("clip:12", label, peak(GRID, 3), [tile(cat, caption=label)])])


def test_a_latent_without_exemplars_and_a_picture_without_latents_have_sheets(cat):
    assert sheet_of(cat, [LatentRow("clip:12", "x", np.zeros(GRID.n_patches), [])])
    assert sheet_of(cat, [], patches=())


@pytest.mark.parametrize("grid", [Grid(16, 16), Grid(37, 37), Grid(8, 16)], ids=str)
def test_sheets_exist_for_other_grids(cat, grid):
    rows = [LatentRow("dino:3", "x", peak(grid, 3), [tile(cat, grid)])]
    view = (
        (0, 0, cat.width, cat.width / grid.columns * grid.rows) if grid.rows == 8 else square(cat)
    )
    assert contact_sheet(cat, view, grid, [1], rows)


def test_weak_exemplars_look_weak_beside_strong_ones(cat):
    """One scale for a row: half the activation is not drawn like the whole."""
    grey = Image.new("RGB", (128, 128), (128, 128, 128))
    view = (0, 0, 128, 128)
    full = np.full(GRID.n_patches, 2.0)
    strong = ExemplarTile(grey, view, full)
    weak = ExemplarTile(grey, view, full / 2)
    both = np.asarray(exemplar_sheet("a", "", GRID, [("x", [strong, weak])]))
    alone = np.asarray(exemplar_sheet("a", "", GRID, [("x", [weak, weak])]))
    y, first, second = 170, 24 + 60, 24 + 140 + 60
    assert (both[y, first] == alone[y, first]).all()
    assert (both[y, second] != both[y, first]).any()


def test_an_exemplar_shows_what_the_backbone_sees(cat):
    small = tile(cat)
    bare = ExemplarTile(small.thumbnail, small.view, None)
    sheet = exemplar_sheet("clip:12", "blue wing", GRID, [("strongest", [bare]), ("none", [])])
    seen = np.asarray(crop_to_view(small.thumbnail, small.view, (132, 132)))
    pixels = np.asarray(sheet)
    assert (pixels[114 : 114 + 132, 24 : 24 + 132] == seen).all()


def test_pictures_of_any_shape_stand_whole_in_their_squares(cat):
    tall = cat.rotate(90, expand=True)
    sheet = grid_of_pictures([cat, tall, cat], ["a", "b [bold]", LONG], columns=2, tile=100)
    assert sheet.size == (2 * 24 + 2 * 108 - 8, 2 * 24 + 2 * 122 - 8)
    assert grid_of_pictures([], []).size[0] > 0


def test_the_figure_of_a_segmentation_paints_each_patch_in_its_class(cat):
    grid = Grid(4, 4)
    before = np.zeros(16, dtype=int)
    after = before.copy()
    after[5] = 2
    truth = np.full(16, -1)
    one = SegmentedPicture(Image.new("L", cat.size, 128), square(cat), before, after, truth, "[a]")
    figure = np.asarray(segmentation_figure([one], grid, ["sky", "road", "tree"])).astype(int)
    top, left, step = 46, 24, 228

    def middle(panel, patch):
        row, column = grid.position(patch)
        return figure[top + 55 * row + 27, left + panel * step + 55 * column + 27]

    assert (middle(1, 5) == middle(1, 4)).all()
    assert (middle(2, 4) == middle(1, 4)).all()
    assert (middle(2, 5) != middle(1, 5)).any()
    assert (middle(3, 5) == middle(0, 5)).all()  # unlabelled: unpainted
    legend = figure[:, 24 + 4 * step :].reshape(-1, 3).tolist()
    assert list(colours.class_colour(0)) in legend
    assert list(colours.class_colour(2)) in legend
    assert list(colours.class_colour(1)) not in legend  # road occurs nowhere


def test_the_legend_of_a_segmentation_says_what_is_unlabelled_where_anything_is(cat):
    grid, none = Grid(2, 2), np.zeros(4, dtype=int)

    def heights(truth):  # of the legend's column of squares
        one = SegmentedPicture(cat, square(cat), none, none, truth)
        figure = np.asarray(segmentation_figure([one], grid, ["sky", "road"])).astype(int)
        left = 24 + 4 * 228 + 16
        marks = (figure[:, left : left + 14] != 255).any(axis=-1)
        return int(marks.any(axis=1).sum())

    assert heights(np.array([0, 0, -1, 0])) == heights(none) + 14


def test_bars_are_as_long_as_the_probabilities():
    before = [ClassProbability("blue [jay]", 0.9), ClassProbability("wren", 0.1)]
    after = [ClassProbability("blue [jay]", 0.3), ClassProbability("finch", 0.6)]
    pixels = np.asarray(probability_bars(before, after, title=LONG))
    lengths = [
        sorted({int(n) for n in (pixels == colour).all(axis=-1)[80:].sum(axis=1) if n > 1})
        for colour in (colours.BEFORE, colours.AFTER)
    ]
    assert lengths[0] == pytest.approx([34, 306], abs=1)
    assert lengths[1] == pytest.approx([102, 204], abs=1)
