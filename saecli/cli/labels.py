"""`saecli labels`: many labels at once."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import authors, options, output, runs, terminal
from saecli.errors import SaecliError
from saecli.records import LabelsExportReport, LabelsImportReport
from saecli.refs import Concept
from saecli.search.held_out import HeldOutSettings
from saecli.search.vocabulary import WordRule

Clip = Annotated[
    str | None,
    typer.Option(
        metavar="BACKBONE",
        help="The CLIP that reads words; default: the catalog's, if it has one.",
        show_default=False,
    ),
]


def export_labels(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Where to write them: .csv or .jsonl.", show_default=False
        ),
    ],
    dictionary: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the labels of one dictionary.")
    ] = None,
    current: Annotated[
        bool, typer.Option("--current", help="Only labels that hold, without their history.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Write labels with their history to a file: CSV or JSON lines."""
    from saecli.catalog.portable_labels import portable_labels
    from saecli.render.catalog_tables import facts_table
    from saecli.workflows.label_files import format_of, write_labels

    kind = format_of(out)
    with runs.opened(catalog) as opened:
        if out.exists() and not force:
            raise SaecliError(f"'{out}' is there already", "choose another --out, or add --force")
        with opened.reading() as session:
            found = portable_labels(session, dictionary=dictionary, current=current)
        write_labels(out, found)
    names = sorted({label.ref.rpartition(":")[0] for label in found})
    report = LabelsExportReport(str(out), kind, len(found), names)
    output.emit(report, as_json=as_json, table=facts_table)


def import_labels(
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines.", show_default=False)],
    author: authors.Author = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Take labels in from a file; what is known stays, what contradicts is kept beside."""
    from saecli.catalog.label_intake import take_labels
    from saecli.render.label_tables import import_table
    from saecli.workflows.label_files import read_labels

    labels = read_labels(file)
    by = authors.named(author)
    settings = {"file": str(file), "author": by, "rows": len(labels)}
    with (
        runs.recorded(catalog, "labels import", settings) as (opened, invocation),
        opened.writing() as session,
    ):
        taken = take_labels(session, invocation.id, labels, author=by)
    report = LabelsImportReport(
        file=str(file),
        n_rows=len(labels),
        n_added=taken.n_added,
        n_known=taken.n_known,
        n_closed=taken.n_closed,
        conflicts=taken.conflicts,
        skipped=taken.skipped,
    )
    output.emit(report, as_json=as_json, table=import_table)


def label_automatically(
    dictionary: Annotated[str, typer.Argument(help="The dictionary.", show_default=False)],
    vocabulary: Annotated[
        str,
        typer.Option(
            metavar="FILE|fieldguide",
            help="Words to choose from, one a line, or the built-in world's.",
            show_default=False,
        ),
    ],
    clip: Clip = None,
    least: Annotated[
        float, typer.Option(min=0, max=1, help="Least correlation of a word that is given.")
    ] = WordRule.least_r,
    device: options.Device = "auto",
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Label latents by CLIP with words of a vocabulary; people's labels stay as they are."""
    from saecli.render.label_tables import automatic_table
    from saecli.workflows.labeller import label_automatically as label_by_clip
    from saecli.workflows.labeller import read_vocabulary

    words = read_vocabulary(vocabulary)
    settings = {"dictionary": dictionary, "vocabulary": vocabulary, "device": device}
    with runs.recorded(catalog, "labels auto", settings) as (opened, invocation):
        done = label_by_clip(
            opened,
            invocation,
            dictionary,
            vocabulary=vocabulary,
            words=words,
            clip=clip,
            rule=WordRule(least_r=least),
            device=device,
            progress=terminal.progress(),
        )
    output.emit(done, as_json=as_json, table=automatic_table)


def score(
    refs: Annotated[
        list[Concept] | None,
        typer.Argument(
            parser=options.concept, metavar="[REF]…", help="Latents.", show_default=False
        ),
    ] = None,
    dictionary: Annotated[
        str | None, typer.Option(metavar="NAME", help="All labels of a dictionary.")
    ] = None,
    clip: Clip = None,
    seed: options.Seed = HeldOutSettings.seed,
    device: options.Device = "auto",
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Score labels: does CLIP know from the words on which held-out pictures a latent fires?"""
    from saecli.render.label_tables import scores_table
    from saecli.workflows.scoring import score_labels

    if not refs and dictionary is None:
        raise SaecliError("nothing is named to score", "name latents, or --dictionary", usage=True)
    settings = {
        "refs": [str(ref) for ref in refs or []],
        "dictionary": dictionary,
        "device": device,
        "held_out": asdict(HeldOutSettings(seed=seed)),
    }
    with runs.recorded(catalog, "labels score", settings, seed=seed) as (opened, invocation):
        done = score_labels(
            opened,
            invocation,
            refs or [],
            dictionary,
            clip=clip,
            settings=HeldOutSettings(seed=seed),
            device=device,
            progress=terminal.progress(),
        )
    output.emit(done, as_json=as_json, table=scores_table)
