"""Two random views of each picture, and which of their patches show the same place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class ViewSettings:
    """How a view is cut and lit. No label or mask is used.

    Attributes:
        area: smallest share of the picture that a view shows; the largest is 1.
        brightness: largest change of brightness, of white.
        contrast: largest change of contrast, relative.
        tint: largest change of a channel's gain, relative. Colour is what tells the birds
            apart, so it stays mild; it is there because the light of a picture, the same in
            both views, would otherwise be the easiest sign to know it by.
        bordered: share of the views whose border is another picture's: outside an ellipse
            around the middle, so that a picture is known by what stands in its middle.
        border: smallest and largest radius of the ellipse, of the picture's side.
    """

    area: float = 0.5
    brightness: float = 0.12
    contrast: float = 0.15
    tint: float = 0.05
    bordered: float = 0.5
    border: tuple[float, float] = (0.34, 0.46)


@dataclass(frozen=True)
class Views:
    """Views of a batch.

    Attributes:
        images: (B, 3, H, W) float32, normalised.
        places: (B, P, 2) float32, the picture coordinates (x, y from -1 to 1) that each
            patch of the view shows, row-major; not a number where it shows another picture.
    """

    images: Tensor
    places: Tensor


def _uniform(n: int, low: float, high: float) -> Tensor:
    return torch.rand(n) * (high - low) + low


def cut_views(images: Tensor, grid: int, settings: ViewSettings) -> Views:
    """One random view of each picture.

    Args:
        images: (B, 3, H, W) float32, normalised.
        grid: patches on a side.
        settings: see there.
    """
    n = len(images)
    size = _uniform(n, settings.area, 1.0).sqrt()  # of the side
    stretch = _uniform(n, -0.12, 0.12).exp()
    wide, high = (size * stretch).clamp(max=1), (size / stretch).clamp(max=1)
    flip = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = wide * flip, high
    affine[:, 0, 2] = (1 - wide) * _uniform(n, -1, 1)
    affine[:, 1, 2] = (1 - high) * _uniform(n, -1, 1)

    mixed, foreign = _borders(images, settings)
    pixels = functional.affine_grid(affine, list(images.shape), align_corners=False)
    cut = functional.grid_sample(mixed, pixels, padding_mode="reflection", align_corners=False)
    places = functional.affine_grid(affine, [n, 1, grid, grid], align_corners=False)
    hidden = functional.grid_sample(foreign, places, mode="nearest", align_corners=False) > 0.5
    places = places.masked_fill(hidden.permute(0, 2, 3, 1), float("nan")).flatten(1, 2)
    return Views(_lit(cut, settings), places)


def _borders(images: Tensor, settings: ViewSettings) -> tuple[Tensor, Tensor]:
    """The pictures, some with another's border, and (B, 1, H, W) where that is."""
    n, _, height, width = images.shape
    low, high = settings.border
    x = torch.linspace(-1, 1, width)[None, None, None, :]
    y = torch.linspace(-1, 1, height)[None, None, :, None]
    centre = _uniform(2 * n, -0.12, 0.12).view(2, n, 1, 1, 1)
    radius = _uniform(2 * n, 2 * low, 2 * high).view(2, n, 1, 1, 1)
    outside = ((x - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2 > 1
    chosen = (torch.rand(n) < settings.bordered)[:, None, None, None]
    foreign = outside & chosen
    others = images[(torch.arange(n) + int(torch.randint(1, n, ()))) % n]
    return torch.where(foreign, others, images), foreign.float()


def _lit(images: Tensor, settings: ViewSettings) -> Tensor:
    """Brightness, contrast and tint changed a little; inputs span about 4 units."""
    n = len(images)
    gain = 1 + _uniform(n, -settings.contrast, settings.contrast)[:, None]
    gain = gain * (1 + _uniform(3 * n, -settings.tint, settings.tint).view(n, 3))
    shift = 4 * _uniform(n, -settings.brightness, settings.brightness)
    return images * gain[:, :, None, None] + shift[:, None, None, None]


def same_places(first: Tensor, second: Tensor, nearest: float) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of patches of two views that show the same place of the same picture.

    Args:
        first: (B, P, 2), the places of the one view's patches, see `Views`.
        second: (B, Q, 2), those of the other's.
        nearest: largest distance of a pair, in picture coordinates.

    Returns:
        Picture, patch of the first and patch of the second view, each (pairs,) int64; each
        patch of the first view is in one pair at most.
    """
    distance = torch.cdist(first.nan_to_num(9.0), second.nan_to_num(-9.0))
    best, partner = distance.min(-1)
    picture, patch = torch.nonzero(best < nearest, as_tuple=True)
    return picture, patch, partner[picture, patch]
