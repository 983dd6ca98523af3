"""DINOv2's preprocessing, from the `preprocessor_config.json` beside the weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from saecli.backbones.folders import read_json
from saecli.backbones.geometry import Geometry
from saecli.backbones.transforms import ImageTransform
from saecli.errors import SaecliError

PREPROCESSOR = "preprocessor_config.json"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def read_transform(
    folder: Path, config: Mapping[str, Any], *, crops: bool = True
) -> ImageTransform:
    """The transform that transformers' own image processor (Pillow backend) would apply.

    The image size is the preprocessor's crop; the model's `image_size` is only the size that its
    position embeddings were trained at. A folder without a preprocessor gets DINOv2's bicubic
    filter and ImageNet mean and deviation at the model's `image_size`: the shortest side is
    resized to it and the middle cropped, so that a square picture is seen whole (the resize to 256
    and crop to 224 of DINOv2's published evaluation would cut a sixteenth off each side).
    ``crops`` says whether a preprocessor crops that doesn't say so: DINOv2's does, DINOv3's not.

    Raises:
        SaecliError: if the file asks for something else than resizing the shortest side or both,
            cropping the middle, 1/255, mean and deviation, or the crop is smaller than a patch.
    """
    file = folder / PREPROCESSOR
    patch = _pair(config.get("patch_size"), "patch_size", folder / "config.json")
    if not file.is_file():
        size = _pair(config.get("image_size"), "image_size", folder / "config.json")
        return _transform("shortest", size, size, patch, 3, IMAGENET_MEAN, IMAGENET_STD, file)
    settings: Mapping[str, Any] = read_json(file)
    resize, target = _resize(settings, file)
    if settings.get("do_center_crop", crops):
        crop = _pair(settings.get("crop_size"), "crop_size", file)
    elif resize == "squash":
        crop = target
    else:
        raise _unsupported(file, "no centre crop, so that pictures would differ in size")
    if (
        not settings.get("do_rescale", True)
        or abs(float(settings.get("rescale_factor", 1 / 255)) * 255 - 1) > 1e-6
    ):
        raise _unsupported(file, "another scale than 1/255")
    normalize = settings.get("do_normalize", True)
    return _transform(
        resize,
        target,
        crop,
        patch,
        settings.get("resample"),
        _channels(settings, "image_mean", file) if normalize else (0.0, 0.0, 0.0),
        _channels(settings, "image_std", file) if normalize else (1.0, 1.0, 1.0),
        file,
    )


def _transform(
    resize: Literal["shortest", "squash"],
    target: tuple[int, int],
    crop: tuple[int, int],
    patch: tuple[int, int],
    resample: Any,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    file: Path,
) -> ImageTransform:
    if crop[0] < patch[0] or crop[1] < patch[1]:
        raise _unsupported(file, f"a crop of {crop[0]} × {crop[1]} pixels, smaller than a patch")
    if resample not in list(Image.Resampling):
        raise _unsupported(file, f"the resampling filter {resample}")
    return ImageTransform(
        geometry=Geometry(resize, target, crop, patch, rounding="down", centring="down"),
        interpolation=Image.Resampling(resample).name.lower(),
        mean=mean,
        std=std,
        fill=0,
    )


def _resize(
    settings: Mapping[str, Any], file: Path
) -> tuple[Literal["shortest", "squash"], tuple[int, int]]:
    size: Any = settings.get("size")
    if not settings.get("do_resize", True):
        raise _unsupported(file, "no resizing, so that pictures would differ in size")
    if isinstance(size, int):
        return "shortest", (size, size)
    keys: set[str] = set(size) if isinstance(size, dict) else set()
    if keys == {"shortest_edge"}:
        return "shortest", _pair(size["shortest_edge"], "size", file)
    if keys == {"height", "width"}:
        return "squash", _pair(size, "size", file)
    raise _unsupported(file, f"the size {size}")


def _pair(value: Any, key: str, file: Path) -> tuple[int, int]:
    """(height, width) from a number, a list of two or a height and width."""
    if isinstance(value, dict):
        value = [value.get("height"), value.get("width")]
    sides = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise SaecliError(
            f"{file} has no usable {key}", "restore it from where the model came from"
        )
    return sides[0], sides[1]


def _channels(settings: Mapping[str, Any], key: str, file: Path) -> tuple[float, ...]:
    values = settings.get(key)
    if not isinstance(values, list) or len(values) != 3:
        raise SaecliError(
            f"{file} has no {key} of 3 channels", "restore it from the model's source"
        )
    return tuple(float(value) for value in values)


def _unsupported(file: Path, what: str) -> SaecliError:
    return SaecliError(
        f"{file} asks for {what}, which saecli can't do",
        "give the model the preprocessing of DINOv2: shortest edge, centre crop, mean, deviation",
    )
