"""Probes: heads on a backbone's final output, found by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from saecli.catalog.artifacts import Artifact, read_artifact
from saecli.catalog.backbones import BackboneInfo, backbone_info
from saecli.catalog.opening import catalog_of, missing
from saecli.catalog.tables import Artifact as ArtifactRow
from saecli.catalog.tables import Backbone, Hypothesis, Probe, Selection, now
from saecli.errors import SaecliError, one_of


@dataclass(frozen=True)
class ProbeInfo:
    """A probe; ``task`` is `classification`, `segmentation` or `zero_shot`."""

    id: int
    name: str
    task: str
    classes: tuple[str, ...]
    backbone: BackboneInfo
    artifact_id: int
    sha256: str  # of its file
    settings: dict[str, Any]
    n_train: int
    n_test: int
    accuracy: float | None
    mean_iou: float | None


def add_probe(
    session: Session,
    invocation: int,
    *,
    name: str,
    backbone: BackboneInfo,
    task: str,
    classes: Sequence[str],
    artifact: Artifact,
    settings: Mapping[str, Any],
    n_train: int,
    n_test: int,
    accuracy: float | None,
    mean_iou: float | None = None,
    replace: bool = False,
) -> ProbeInfo:
    """Keep a probe with its held-out scores.

    Raises:
        SaecliError: if the name is taken and ``replace`` is not set, or what is to be replaced has
            hypotheses or selections that rest on it.
    """
    old = session.scalar(select(Probe).where(Probe.name == name))
    if old is not None:
        _check_replaceable(session, old, replace=replace)
        session.delete(old)
        session.flush()
    row = Probe(
        name=name,
        task=task,
        classes=list(classes),
        backbone_id=backbone.id,
        artifact_id=artifact.id,
        settings=dict(settings),
        n_train=n_train,
        n_test=n_test,
        accuracy=accuracy,
        mean_iou=mean_iou,
        created=now(),
        invocation_id=invocation,
    )
    session.add(row)
    session.flush()
    return get_probe(session, name)


def probes(session: Session) -> list[ProbeInfo]:
    """All probes, in the order they were made."""
    return _read(session)


def probes_for(session: Session, backbone: BackboneInfo) -> list[ProbeInfo]:
    """The probes that fit a backbone, in the order they were made; the first is its default."""
    return _read(session, Probe.backbone_id == backbone.id)


def find_probe(session: Session, name: str) -> ProbeInfo | None:
    """The probe of a name, or None."""
    return next(iter(_read(session, Probe.name == name)), None)


def get_probe(session: Session, name: str) -> ProbeInfo:
    """The probe of a name.

    Raises:
        SaecliError: if there is none, with the names that there are.
    """
    found = find_probe(session, name)
    if found is None:
        names = list(session.scalars(select(Probe.name)))
        raise missing(
            session,
            "probe",
            name,
            one_of(names, name),
            "name one of these, or train it with saecli probe train",
        )
    return found


def read_probe(session: Session, probe: ProbeInfo) -> bytes:
    """The safetensors file of a probe, verified.

    Raises:
        SaecliError: if it is missing or damaged.
    """
    return read_artifact(session, probe.artifact_id)


def _read(session: Session, *conditions: ColumnElement[bool]) -> list[ProbeInfo]:
    rows = session.execute(
        select(Probe, Backbone, ArtifactRow.sha256)
        .join(Backbone, Probe.backbone_id == Backbone.id)
        .join(ArtifactRow, Probe.artifact_id == ArtifactRow.id)
        .where(*conditions)
        .order_by(Probe.created, Probe.id)
    )
    return [
        ProbeInfo(
            probe.id,
            probe.name,
            probe.task,
            tuple(probe.classes),
            backbone_info(backbone),
            probe.artifact_id,
            sha256,
            probe.settings,
            probe.n_train,
            probe.n_test,
            probe.accuracy,
            probe.mean_iou,
        )
        for probe, backbone, sha256 in rows
    ]


def _check_replaceable(session: Session, old: Probe, *, replace: bool) -> None:
    if not replace:
        raise SaecliError(
            f"{catalog_of(session).name} has a probe '{old.name}' already", "choose another --name"
        )
    resting = select(Hypothesis.id).where(Hypothesis.probe_id == old.id).limit(1)
    chosen = select(Selection.id).where(Selection.probe_id == old.id).limit(1)
    if session.scalar(resting) is not None or session.scalar(chosen) is not None:
        raise SaecliError(
            f"experiments rest on the probe '{old.name}', so it can't be replaced",
            "choose another --name",
        )
