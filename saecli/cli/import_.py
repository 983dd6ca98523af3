"""`saecli import`: a dictionary of another project."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from saecli.cli import computing, options, output, runs, terminal

Format = Literal[
    "saev",
    "saelens",
    "sparsify",
    "dictionary-learning",
    "overcomplete",
    "vit-prisma",
    "patchsae",
    "llamascopium",
    "saecli",
]
Preset = Literal[
    "clip-24k", "dinov2-24k", "bioclip-24k", "dinov3-s", "dinov3-b", "dinov3-l", "dinov3-l-topk"
]


def import_dictionary(
    path: Annotated[
        str,
        typer.Argument(
            help="A file, a folder, or hf://ORG/NAME or hf://ORG/NAME/PATH.", show_default=False
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            parser=options.dictionary_name,
            metavar="NAME",
            help="What the dictionary is called here.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME",
            help="The backbone that it was trained on, as saecli train takes it.",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(
            "--layer",
            help="The block whose output it was trained on; default: what the file says.",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="Whose file it is; default: recognised.", show_default=False),
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            help="Take backbone, layer and normalisation of a published dictionary.",
            show_default=False,
        ),
    ] = None,
    images: options.AnyImages = None,
    n_images: Annotated[
        int | None,
        typer.Option("--n-images", min=1, help="Pictures of the self-test; default: 100."),
    ] = None,
    encoder_subtracts: Annotated[
        bool | None,
        typer.Option(
            "--encoder-subtracts-b-dec/--no-encoder-subtracts-b-dec",
            help="Whether the encoder subtracts the decoder's bias (saev, schema 1).",
            show_default=False,
        ),
    ] = None,
    activation: Annotated[
        Literal["relu", "topk", "batchtopk", "jumprelu"] | None,
        typer.Option(help="Of a file that doesn't state it (overcomplete).", show_default=False),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="The same of topk's k.", show_default=False),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, help="The same of batchtopk's threshold.", show_default=False),
    ] = None,
    decoder_norm: Annotated[
        Literal["l2", "max_l2", "l1", "max_l1", "identity"] | None,
        typer.Option(
            help="The same of how the dictionary is normalised; default: l2.", show_default=False
        ),
    ] = None,
    mean: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A vector that activations were centred by before training: .npy, .safetensors "
            "or text.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(help="A number that they were then divided by.", show_default=False),
    ] = None,
    device: options.Device = "auto",
    cache: computing.Cache = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Import a dictionary that another project trained; its function is proved unchanged."""
    from saecli.foreign.said import Said
    from saecli.foreign.vectors import read_vector
    from saecli.render.import_table import import_table
    from saecli.workflows.import_jobs import ImportJob
    from saecli.workflows.importing import import_dictionary, prepare

    said = Said(
        subtracts=encoder_subtracts,
        activation=activation,
        k=k,
        threshold=threshold,
        decoder_norm=decoder_norm,
        mean=None if mean is None else read_vector(mean),
        scale=scale,
    )
    job = ImportJob(
        path=path,
        name=name,
        backbone=backbone,
        layer=layer,
        format=format_,
        preset=preset,
        images=images,
        n_images=n_images,
        device=device,
    )
    details = asdict(job) | {
        "encoder_subtracts_b_dec": encoder_subtracts,
        "activation": activation,
        "k": k,
        "threshold": threshold,
        "decoder_norm": decoder_norm,
        "mean": None if mean is None else str(mean),
        "scale": scale,
    }
    prepared = prepare(job, said, terminal.progress())  # what is wrong with it leaves no catalog
    with runs.recorded(catalog, "import", details, create=True) as (opened, invocation):
        found = import_dictionary(
            opened,
            invocation,
            prepared,
            computing.cache_settings(opened.files, cache),
            terminal.progress(),
        )
    output.emit(found, as_json=as_json, table=import_table)
