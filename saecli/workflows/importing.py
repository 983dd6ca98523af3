"""Bring a dictionary of another project into the catalog, its function proved unchanged."""

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from saecli.catalog.artifacts import store_artifact
from saecli.catalog.dictionaries import dictionaries
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.training import begin_dictionary, check_name_free, publish_dictionary
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.records.importing import ImportReport, ProofReport, SelfTestReport
from saecli.workflows.import_jobs import ImportJob, located, needed
from saecli.workflows.models import backbone_row, load_backbone
from saecli.workflows.pictures import open_pictures
from saecli.workflows.self_test import self_test, warnings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from saecli.activations.settings import CacheSettings
    from saecli.backbones.protocol import Backbone
    from saecli.foreign.content import Content
    from saecli.foreign.said import Said
    from saecli.foreign.source import Source
    from saecli.sae.model import Dictionary, Identity


@dataclass(frozen=True)
class Prepared:
    """What was read and found right, before anything is written.

    Attributes:
        job: with what a preset filled in.
        name: of the dictionary.
        backbone: that it was trained on, loaded.
        dictionary: in saecli's form.
        format: whose file it is.
        file_sha256: of the file.
        stated: what the file tells of itself.
        proof: None of saecli's own checkpoints.
        norms: shortest and longest decoder row of the file.
        notes: how the file was read.
    """

    job: ImportJob
    name: str
    backbone: "Backbone"
    dictionary: "Dictionary"
    format: str
    file_sha256: str
    stated: dict[str, Any]
    proof: ProofReport | None
    norms: tuple[float, float]
    notes: tuple[str, ...]


def prepare(job: ImportJob, said: "Said", progress: Progress) -> Prepared:
    """Read a file, check it against its backbone and prove its function; nothing is written.

    Raises:
        SaecliError: if the file can't be read, is of a kind that saecli doesn't hold, leaves open
            what nothing says, doesn't fit the backbone, or computes another function once mapped.
    """
    from saecli.foreign.content import open_content
    from saecli.foreign.mapping import convert, prove
    from saecli.foreign.presets import PRESETS
    from saecli.sae.checkpoints import load, to_bytes

    if job.images is not None:
        open_pictures(job.images, progress)  # before the backbone is loaded
    job, said, path = located(job, said, progress)
    name = needed(job.name, "the dictionary's name isn't given", "say --name NAME")
    reference = needed(job.backbone, "the file doesn't say its backbone", "say --backbone NAME")
    progress.say(f"reading {path}")
    content = open_content(path)
    source = _source(content, job, said)
    backbone = load_backbone(reference, progress, device=job.device)
    if source is None:
        dictionary = _own(content, job, backbone)
        stated, proof = dict[str, Any](), None
        norms, notes = (1.0, 1.0), tuple[str, ...]()
    else:
        dictionary = convert(source, _identity(source, content, job, backbone))
        proof = ProofReport(**asdict(prove(source, dictionary)))
        n = source.norms()
        stated, notes = source.details, source.notes
        norms = float(n.min()), float(n.max())
        load(to_bytes(dictionary))
    if job.preset is not None:
        notes += PRESETS[job.preset].notes
    with content.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kind = "saecli" if source is None else source.format
    return Prepared(job, name, backbone, dictionary, kind, digest, stated, proof, norms, notes)


def import_dictionary(
    catalog: Catalog,
    invocation: Invocation,
    prepared: Prepared,
    cache: "CacheSettings",
    progress: Progress,
) -> ImportReport:
    """Test a prepared dictionary on pictures, where there are any, and keep it.

    Raises:
        SaecliError: if its name is taken, it is in the catalog already, or no picture can be read.
    """
    job, dictionary, backbone = prepared.job, prepared.dictionary, prepared.backbone
    with catalog.reading() as session:
        check_name_free(session, prepared.name)
        _check_new(session, prepared)
    tested = None
    if job.images is not None:
        tested = self_test(dictionary, backbone, job.images, job.n_images, cache, progress)
    sha256 = _keep(catalog, invocation, prepared, tested)
    return ImportReport(
        dictionary=prepared.name,
        format=prepared.format,
        source=job.path,
        sha256=sha256,
        backbone=backbone.name,
        layer=dictionary.identity.layer,
        d_model=dictionary.d_model,
        n_latents=dictionary.n_latents,
        activation=dictionary.activation,
        k=dictionary.k,
        normalisation=dictionary.normalisation,
        decoder_norms=list(prepared.norms),
        proof=prepared.proof,
        self_test=tested,
        notes=list(prepared.notes),
        warnings=[] if tested is None else warnings(tested, dictionary.n_latents),
        catalog=str(catalog.path),
    )


def _source(content: "Content", job: ImportJob, said: "Said") -> "Source | None":
    """What a foreign file states; None of a checkpoint that saecli wrote."""
    from saecli.foreign.formats import SAECLI, is_saecli, read_source
    from saecli.foreign.said import check_open

    if job.format == SAECLI or (job.format is None and is_saecli(content)):
        check_open(said, (), SAECLI)
        return None
    source = read_source(content, said, job.format)
    source.check()
    return source


def _own(content: "Content", job: ImportJob, backbone: "Backbone") -> "Dictionary":
    """A checkpoint that saecli wrote: it knows what it belongs to."""
    from saecli.backbones import resolve_layer
    from saecli.sae.checkpoints import load

    dictionary = load(content.path)
    layer = None if job.layer is None else resolve_layer(job.layer, backbone.n_blocks)
    dictionary.check_fits(backbone, layer)
    return dictionary


def _identity(
    source: "Source", content: "Content", job: ImportJob, backbone: "Backbone"
) -> "Identity":
    """What the dictionary is said to belong to, if the width and the file's own words allow it."""
    from saecli.sae.model import Identity

    if source.d_model != backbone.d_model:
        raise SaecliError(
            f"{content.shown} is for activations {source.d_model} wide, and {backbone.name}'s are "
            f"{backbone.d_model}",
            "name the backbone that it was trained on",
        )
    return Identity.of(backbone, _layer(source, job.layer, backbone))


def _layer(source: "Source", said: int | None, backbone: "Backbone") -> int:
    from saecli.backbones import resolve_layer

    stated = source.attachment.layer
    if stated is not None:
        stated = resolve_layer(stated, backbone.n_blocks)
    if said is None:
        if stated is None:
            raise SaecliError("the file doesn't say its layer", "say --layer N", usage=True)
        return stated
    layer = resolve_layer(said, backbone.n_blocks)
    if stated is not None and stated != layer:
        raise SaecliError(
            f"the file says that it was trained on the output of block {stated}, not {layer}",
            f"say --layer {stated}, or leave it out",
        )
    return layer


def _check_new(session: "Session", prepared: Prepared) -> None:
    """Return if no dictionary of the catalog has the same checkpoint.

    Raises:
        SaecliError: naming the one that has.
    """
    from saecli.sae.checkpoints import to_bytes

    sha256 = hashlib.sha256(to_bytes(prepared.dictionary)).hexdigest()
    same = [one.name for one in dictionaries(session) if one.sha256 == sha256]
    if same:
        raise SaecliError(f"the file is in the catalog already, as '{same[0]}'", "use that one")


def _keep(
    catalog: Catalog,
    invocation: Invocation,
    prepared: Prepared,
    tested: SelfTestReport | None,
) -> str:
    from saecli.sae.checkpoints import to_bytes

    dictionary = prepared.dictionary
    row = backbone_row(catalog, invocation, prepared.backbone)
    with catalog.writing() as session:
        draft = begin_dictionary(
            session,
            invocation.id,
            name=prepared.name,
            backbone=row,
            layer=dictionary.identity.layer,
            n_latents=dictionary.n_latents,
            activation=dictionary.activation,
            settings={"k": dictionary.k, "imported": _origin(prepared, tested)},
        )
        checkpoint = store_artifact(session, invocation.id, to_bytes(dictionary), "checkpoint")
        publish_dictionary(
            session,
            draft,
            checkpoint=checkpoint,
            explained_variance=tested.explained_variance if tested else None,
            l0=tested.l0 if tested else None,
            dead_fraction=tested.dead_fraction if tested else None,
            patches_seen=None,
            seconds=None,
        )
    return checkpoint.sha256


def _origin(prepared: Prepared, tested: SelfTestReport | None) -> dict[str, Any]:
    """What the catalog keeps of where a dictionary came from."""
    found = None if tested is None else asdict(tested)
    if found is not None:
        found["elsewhere"] = {str(layer): one for layer, one in found["elsewhere"].items()}
    return {
        "format": prepared.format,
        "source": prepared.job.path,
        "file_sha256": prepared.file_sha256,
        "preset": prepared.job.preset,
        "stated": prepared.stated,
        "decoder_norms": list(prepared.norms),
        "proof": None if prepared.proof is None else asdict(prepared.proof),
        "self_test": found,
        "notes": list(prepared.notes),
    }
