"""`saecli probe`: heads on a backbone's final output."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.errors import SaecliError


def train_probe(
    images: options.Images,
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
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="PNG masks with the pictures' stems, classes.txt beside them: "
            "train a per-patch segmentation head.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Only these classes.", show_default=False),
    ] = None,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot", help="CLIP's texts as weights; nothing is trained.")
    ] = False,
    template: Annotated[
        list[str] | None,
        typer.Option(help="A zero-shot text, {} for the class; repeatable.", show_default=False),
    ] = None,
    n_images: computing.NImages = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Train a probe on class folders, labels.csv or masks, and score it on held-out pictures."""
    from saecli.experiments.probe_training import ProbeSettings
    from saecli.experiments.zero_shot import TEMPLATES
    from saecli.render.tables import probe_table
    from saecli.workflows.models import backbone_row, load_backbone
    from saecli.workflows.pictures import open_pictures
    from saecli.workflows.probes import check_probe_name, train_probe

    if zero_shot and masks:
        raise SaecliError(
            "a zero-shot probe takes no masks", "leave --masks or --zero-shot", usage=True
        )
    if template and not zero_shot:
        raise SaecliError("--template goes with --zero-shot", "add it, or leave both", usage=True)
    chosen = [part.strip() for part in classes.split(",") if part.strip()] if classes else None
    settings = ProbeSettings(seed=seed)
    templates = (template or list(TEMPLATES)) if zero_shot else None
    details = asdict(settings) | {
        "images": images,
        "backbone": backbone,
        "name": name,
        "masks": str(masks) if masks else None,
        "classes": chosen,
        "templates": templates,
        "n_images": n_images,
        "device": device,
    }
    progress = terminal.progress()
    with runs.recorded(catalog, "probe train", details, seed=seed, create=True) as run:
        opened, invocation = run
        check_probe_name(opened, name)
        source = open_pictures(images, progress, n_images=n_images)
        loaded = load_backbone(backbone, progress, device=device)
        report = train_probe(
            opened,
            invocation,
            name,
            loaded,
            backbone_row(opened, invocation, loaded),
            source,
            settings,
            progress,
            masks=masks,
            classes=chosen,
            templates=templates,
        )
    output.emit(report, as_json=as_json, table=probe_table)


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
