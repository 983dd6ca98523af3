"""`saecli probe`: heads on a backbone's final output."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.errors import SaecliError

if TYPE_CHECKING:
    from saecli.experiments.probe_training import ProbeSettings


class Rates(tuple[float, ...]):
    """Positive numbers; a class of its own because Typer reads `tuple` as several values."""


def rates(text: str | Rates) -> Rates:
    """Read `1e-4,1e-3`.

    Raises:
        SaecliError: if a part is no positive number.
    """
    if isinstance(text, Rates):
        return text
    found = []
    for part in text.split(","):
        try:
            value = float(part)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise SaecliError(
                f"'{part.strip()}' is no positive number", "write numbers as 1e-4,1e-3", usage=True
            )
        found.append(value)
    return Rates(found)


def train_probe(
    backbone: options.Backbone,
    name: Annotated[
        str,
        typer.Option(
            parser=options.dictionary_name,
            metavar="NAME",
            help="Of the new probe.",
            show_default=False,
        ),
    ],
    images: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="A folder, a file of paths, fieldguide:train or fieldguide:test, or a folder "
            "laid out like ADE20K's; a zero-shot probe can do without.",
            show_default=False,
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="PNG masks with the pictures' stems, classes.txt beside them: "
            "train a per-patch segmentation head.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Table of labels (CSV: file,label); default: labels.csv, or class folders.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…|FILE",
            help="Only these classes, or a file with one a line.",
            show_default=False,
        ),
    ] = None,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot", help="CLIP's texts as weights; nothing is trained.")
    ] = False,
    template: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT|FILE",
            help="A zero-shot text, {} for the class, or a file with one a line; repeatable.",
            show_default=False,
        ),
    ] = None,
    solver: Annotated[
        Literal["exact", "adamw"] | None,
        typer.Option(
            help="exact: the optimum, on at most 100,000 patches; adamw: a grid of heads in one "
            "pass over all of them."
        ),
    ] = None,
    lr: Annotated[
        Rates | None,
        typer.Option(
            parser=rates, metavar="1e-4,1e-3", help="AdamW's learning rates.", show_default=False
        ),
    ] = None,
    weight_decay: Annotated[
        Rates | None,
        typer.Option(
            parser=rates, metavar="1e-4,1e-2", help="Weight decays to try.", show_default=False
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of AdamW.")] = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Weigh all classes alike, however frequent.")
    ] = False,
    n_images: computing.NImages = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Train a probe on class folders, labels.csv or masks, and score it on held-out pictures."""
    from saecli.experiments.zero_shot import TEMPLATES
    from saecli.render.tables import probe_table
    from saecli.workflows.models import backbone_row, load_backbone
    from saecli.workflows.probe_orders import order_probe
    from saecli.workflows.probes import check_probe_name, train_probe

    if template and not zero_shot:
        raise SaecliError("--template goes with --zero-shot", "add it, or leave both", usage=True)
    settings = _settings(
        solver, lr, weight_decay, steps, zero_shot=zero_shot, balanced=balanced, seed=seed
    )
    chosen = _names(classes)
    templates = None
    if zero_shot:
        templates = [text for one in template or TEMPLATES for text in _lines(one)]
    details = asdict(settings) | {
        "images": images,
        "backbone": backbone,
        "name": name,
        "masks": str(masks) if masks else None,
        "labels": str(labels) if labels else None,
        "classes": chosen,
        "templates": templates,
        "n_images": n_images,
        "device": device,
    }
    progress = terminal.progress()
    order = order_probe(
        images,
        backbone,
        progress,
        masks=masks,
        labels=labels,
        classes=chosen,
        templates=templates,
        n_images=n_images,
    )
    with runs.recorded(catalog, "probe train", details, seed=seed, create=True) as run:
        opened, invocation = run
        check_probe_name(opened, name)
        loaded = load_backbone(backbone, progress, device=device)
        report = train_probe(
            opened,
            invocation,
            name,
            loaded,
            backbone_row(opened, invocation, loaded),
            order,
            settings,
            progress,
        )
    output.emit(report, as_json=as_json, table=probe_table)


def _settings(
    solver: Literal["exact", "adamw"] | None,
    lr: Rates | None,
    weight_decay: Rates | None,
    steps: int | None,
    *,
    zero_shot: bool,
    balanced: bool,
    seed: int,
) -> "ProbeSettings":
    """What the options say; each must belong to what is trained."""
    from saecli.experiments.probe_training import ADAMW_DECAYS, ProbeSettings

    training = [
        option
        for option, given in (
            ("--solver", solver),
            ("--lr", lr),
            ("--weight-decay", weight_decay),
            ("--steps", steps),
            ("--balanced", balanced),
        )
        if given
    ]
    if zero_shot and training:
        raise SaecliError(
            f"a zero-shot probe is not trained, so it takes no {training[0]}",
            f"leave {training[0]} or --zero-shot",
            usage=True,
        )
    if solver != "adamw" and (lr or steps):
        raise SaecliError(
            "--lr and --steps are AdamW's", "add --solver adamw, or leave them out", usage=True
        )
    settings = ProbeSettings(seed=seed, balanced=balanced)
    if solver == "adamw":
        settings = replace(settings, solver="adamw", weight_decays=ADAMW_DECAYS)
    if lr:
        settings = replace(settings, learning_rates=tuple(lr))
    if weight_decay:
        settings = replace(settings, weight_decays=tuple(weight_decay))
    return replace(settings, steps=steps) if steps else settings


def _names(classes: str | None) -> list[str] | None:
    """Class names: parted by commas, or the lines of a file."""
    if classes is None:
        return None
    if _is_file(classes):
        return _lines(classes)
    found = [part.strip() for part in classes.split(",") if part.strip()]
    if not found:
        raise SaecliError("--classes names no class", "write them as A,B,…", usage=True)
    return found


def _lines(text: str) -> list[str]:
    """The text itself, or, if it is a file's path, that file's lines."""
    if not _is_file(text):
        return [text]
    try:
        lines = Path(text).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SaecliError(f"'{text}' is no text in UTF-8", "write one entry a line") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise SaecliError(f"'{text}' is empty", "write one entry a line")
    return found


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, RuntimeError):  # a text too long for a path, or an unknown ~user
        return False


def list_probes(catalog: options.Catalog = None, as_json: options.Json = False) -> None:
    """List the catalog's probes with their held-out scores."""
    from saecli.catalog.listing import list_all
    from saecli.records import CatalogList, ProbeList
    from saecli.render.tables import list_table

    with runs.opened(catalog) as opened:
        found = ProbeList(list_all(opened).probes)
    output.emit(
        found,
        as_json=as_json,
        table=lambda shown: list_table(CatalogList([], [], [], shown.probes, [])),
    )
