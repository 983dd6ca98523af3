"""`saecli list`: what is in the catalog."""

from dataclasses import replace

from saecli.cli import options, output, runs


def list_everything(catalog: options.Catalog = None, as_json: options.Json = False) -> None:
    """List the catalog's dictionaries, backbones, image sets, probes and experiments."""
    from saecli.catalog.listing import list_all
    from saecli.render.tables import list_table
    from saecli.workflows.places import backbone_source

    with runs.opened(catalog) as opened:
        found = list_all(opened)
    backbones = [replace(row, source=backbone_source(row.source)) for row in found.backbones]
    found = replace(found, backbones=backbones)
    output.emit(found, as_json=as_json, table=list_table)
