"""What is asked of an import: the file's place, and what a published file leaves open."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from saecli.errors import SaecliError
from saecli.progress import Progress

if TYPE_CHECKING:
    from saecli.foreign.said import Said


@dataclass(frozen=True)
class ImportJob:
    """What to import, and as what.

    Attributes:
        path: a file, a folder, or `hf://ORG/NAME[/PATH]`.
        name: of the dictionary; None for the preset's.
        backbone: by any name that ``--backbone`` takes; None for the preset's.
        layer: may count from the end; None for what the file or the preset says.
        format: None to recognise it.
        preset: a name in `saecli.foreign.presets.PRESETS`; None for what the repository is.
        images: pictures of the self-test, or None for none.
        n_images: of them, how many.
        device: to compute the self-test on.
    """

    path: str
    name: str | None
    backbone: str | None
    layer: int | None
    format: str | None = None
    preset: str | None = None
    images: str | None = None
    n_images: int | None = None
    device: str = "auto"


def located(job: ImportJob, said: "Said", progress: Progress) -> "tuple[ImportJob, Said, Path]":
    """The job with a published file's missing facts, what was said with them, and the local place.

    Raises:
        SaecliError: if a repository can't be reached, or what it names isn't one file.
    """
    from saecli.foreign import hub
    from saecli.foreign.presets import PRESETS, layer_in, preset_of

    named = job.preset
    if hub.is_hub(job.path):
        place = hub.parse(job.path)
        found = preset_of(place.repo)
        named = named or (found[0] if found else None)
        progress.say(f"looking for {place.shown}")
        path = hub.fetch(place)
    else:
        path = Path(job.path).expanduser()
    if named is None:
        return job, said, path
    preset = PRESETS[named]
    layer = layer_in(path) if preset.layer is None else preset.layer
    one_of_several = preset.layer is None and layer is not None
    job = replace(
        job,
        preset=named,
        name=job.name or (f"{named}-{layer}" if one_of_several else named),
        backbone=job.backbone or preset.backbone,
        layer=layer if job.layer is None else job.layer,
    )
    if preset.scale is not None and said.mean is None:
        raise SaecliError(
            f"{preset.repo} was trained on activations without their mean, which it doesn't hold",
            "give the mean of the layer's patch activations as --mean FILE; saev's examples for "
            "DINOv2 have it",
        )
    said = replace(
        said,
        subtracts=preset.subtracts if said.subtracts is None else said.subtracts,
        scale=preset.scale if said.scale is None else said.scale,
    )
    return job, said, path


def needed(value: str | None, problem: str, remedy: str) -> str:
    """A value that must be given.

    Raises:
        SaecliError: if it isn't.
    """
    if value is None:
        raise SaecliError(problem, remedy, usage=True)
    return value
