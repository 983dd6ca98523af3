"""Everything that an experiment needs, loaded and checked; its pictures chosen, nothing run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary, get_latents
from saecli.catalog.evidence import labels_of
from saecli.catalog.hypotheses import HypothesisInfo
from saecli.catalog.images import add_image
from saecli.catalog.invocations import Invocation
from saecli.catalog.observations import selecting_images
from saecli.catalog.opening import Catalog
from saecli.catalog.probes import ProbeInfo, get_probe, read_probe
from saecli.catalog.profiles import ProfileInfo, get_profile
from saecli.errors import SaecliError
from saecli.experiments.interventions import parse_scope
from saecli.experiments.margins import Contrast, target_patches
from saecli.experiments.probes import Probe
from saecli.experiments.runner import Bench, Regions
from saecli.images.sources import ImageFile, find_mask
from saecli.workflows.digests import check_unchanged, digest_of, files_digest
from saecli.workflows.groups import Groups
from saecli.workflows.plans import DIGESTS, Plan
from saecli.workflows.shelf import Shelf
from saecli.workflows.subjects import (
    Masks,
    Subjects,
    class_index,
    draw_fresh,
    read_subjects,
    with_class,
)
from saecli.workflows.twins import find_twins

MOST_CONTROLS = 10_000  # of each kind: enough for a family of 500 at α = 0.05
WITHOUT = 100  # pictures without the class on which specificity is measured


@dataclass(frozen=True, eq=False)
class Trial:
    """An experiment's parts, loaded and checked.

    Attributes:
        plan: as it is stored, its paths whole.
        digests: of what the plan names; None where it names none.
        n_excluded: pictures with the class that helped to choose the latents.
        n_excluded_by_group: others of a group of which one helped.
        groups, without_groups: of each subject, and of each picture without the class, where the
            plan has groups.
        labels: that the latents have now, by reference.
    """

    plan: Plan
    digests: dict[str, str | None]
    info: DictionaryInfo
    profile: ProfileInfo
    probe_row: ProbeInfo
    bench: Bench
    subjects: Subjects
    image_ids: tuple[int, ...]
    without: Subjects
    without_ids: tuple[int, ...]
    n_excluded: int
    n_excluded_by_group: int
    n_repeated: int
    masks: Masks | None
    regions: Regions | None
    twins: tuple[ImageFile, ...] | None
    groups: tuple[str, ...] | None
    without_groups: tuple[str, ...] | None
    by_prediction: bool
    labels: dict[str, str]

    @property
    def told(self) -> dict[str, Any]:
        """The plan and the digests, as the hypothesis keeps them."""
        return self.plan.as_json() | {DIGESTS: self.digests}


@dataclass(frozen=True)
class _Named:
    """What a plan names in the catalog."""

    plan: Plan
    digests: dict[str, str | None]
    info: DictionaryInfo
    profile: ProfileInfo
    probe_row: ProbeInfo
    probe: Probe
    used: set[str]
    labels: dict[str, str]


def prepare(
    invocation: Invocation,
    plan: Plan,
    shelf: Shelf,
    *,
    committed: HypothesisInfo | None = None,
) -> Trial:
    """Load everything that a plan names and choose its pictures; nothing is run yet.

    Args:
        invocation: the command that does it.
        plan: what is asked for.
        shelf: what several experiments share.
        committed: the hypothesis whose plan this is, if it was committed before: what its plan
            names must be what it was, and what was looked at since doesn't count as having helped
            to choose the latents.

    Raises:
        SaecliError: if something is unknown or doesn't fit, changed since it was committed, or
            too few pictures are left.
    """
    catalog, progress = shelf.catalog, shelf.progress
    named = _look_up(catalog, plan, committed)
    plan, info = named.plan, named.info
    parse_scope(plan.scope, info.grid)
    if plan.controls.n > MOST_CONTROLS:
        raise SaecliError(
            f"{plan.controls.n:,} controls of each kind would take days",
            f"ask for at most {MOST_CONTROLS:,}; 99 decide one hypothesis at 0.05",
        )
    a = class_index(named.probe, plan.class_name)
    b = None if plan.expect is None else class_index(named.probe, plan.expect)
    source = shelf.source(plan.images, plan.n_images)
    digests = named.digests | {"pictures": shelf.digest(plan.images, plan.n_images)}
    check_unchanged(committed, plan, digests)
    backbone = shelf.backbone(info)
    probe = named.probe.to(backbone.device)
    bench = Bench(backbone, shelf.dictionary(info), probe, Contrast(a, b))
    bench.check()
    segmentation = probe.task == "segmentation"
    if plan.masks is not None and not segmentation:
        raise SaecliError(
            f"'{plan.probe}' reads whole pictures, so masks decide nothing",
            "leave them out, or name a segmentation probe",
        )
    masks = Masks.find(source, plan.masks) if segmentation else None
    chosen, rest, by_prediction = with_class(backbone, probe, a, source, masks, progress)
    subjects, n_excluded, n_repeated = read_subjects(source, chosen, progress).fresh(named.used)
    table = None if plan.groups is None else Groups.read(plan.groups, source, named.used)
    n_fresh = len(subjects)
    if table is not None:
        bars = table.bars
        subjects = subjects.only(lambda file: not bars(file))
        rest = [file for file in rest if not bars(file)]
    n_by_group = n_fresh - len(subjects)
    groups = None if table is None else table.labels(subjects.files)
    check_size(plan, len(subjects), groups, left_out(n_excluded, n_by_group))
    regions = None
    if masks is not None:
        shares = masks.shares(backbone, subjects.files)
        regions = Regions(*target_patches(shares, masks.index(plan.class_name), masks.unlabelled))
    elsewhere = [] if segmentation else draw_fresh(rest, named.used, WITHOUT, plan.seed)
    without = read_subjects(source, elsewhere, progress)
    if not segmentation and len(without) < plan.rule.least_images:
        progress.say(
            f"pictures without '{plan.class_name}': {len(without)}; {plan.rule.least_images} are "
            "needed to show that an effect is specific, and so for the verdict 'supported'"
        )
    without_groups = None if table is None else table.labels_or_names(without.files)
    twins = None if plan.twins is None else find_twins(plan.twins, subjects.files)
    digests |= {
        "masks": _masks_digest(masks, source.files),
        "twins": None if twins is None else files_digest([twin.path for twin in twins]),
        "groups": None if groups is None else digest_of([groups, without_groups]),
        "chosen": digest_of([[one.sha256 for one in part.infos] for part in (subjects, without)]),
    }
    check_unchanged(committed, plan, digests)
    with catalog.writing() as session:
        ids, without_ids = (
            tuple(add_image(session, invocation.id, picture) for picture in part.pictures())
            for part in (subjects, without)
        )
    return Trial(
        plan=plan,
        digests=digests,
        info=info,
        profile=named.profile,
        probe_row=named.probe_row,
        bench=bench,
        subjects=_without_thumbnails(subjects),
        image_ids=ids,
        without=_without_thumbnails(without),
        without_ids=without_ids,
        n_excluded=n_excluded,
        n_excluded_by_group=n_by_group,
        n_repeated=n_repeated,
        masks=masks,
        regions=regions,
        twins=twins,
        groups=groups,
        without_groups=without_groups,
        by_prediction=by_prediction,
        labels=named.labels,
    )


def _look_up(catalog: Catalog, plan: Plan, committed: HypothesisInfo | None) -> _Named:
    """What a plan names in the catalog, unchanged since it was committed."""
    with catalog.reading() as session:
        info = get_dictionary(session, plan.concept.dictionary)
        check_unchanged(committed, plan, {"dictionary": info.sha256})
        get_latents(session, plan.concept)
        profile = get_profile(session, info, plan.profile)
        probe_row = get_probe(session, plan.probe)
        digests: dict[str, str | None] = {
            "dictionary": info.sha256,
            "backbone": info.backbone.digest,
            "probe": probe_row.sha256,
            "profile": digest_of([profile.image_set.digest, profile.settings]),
        }
        plan = plan.resolved(profile.image_set.name)
        check_unchanged(committed, plan, digests)
        probe = Probe.from_bytes(read_probe(session, probe_row))
        before = None if committed is None else committed.created
        used = selecting_images(session, plan.concept, before=before)
        labels = labels_of(session, plan.concept)
    return _Named(plan, digests, info, profile, probe_row, probe, used, labels)


def left_out(n_excluded: int, n_by_group: int, n_unseen: int = 0) -> str:
    """Why fewer pictures are left than there were, in words; empty where none were left out.

    Args:
        n_excluded, n_by_group: that helped to choose the latents, and others of their groups.
        n_unseen: none of whose patches the run itself saw as the class.
    """
    why = {
        "they helped to choose the latents": n_excluded,
        "others of their groups did": n_by_group,
        "no patch of theirs is predicted so with certainty": n_unseen,
    }
    return "".join(f", {n} left out because {words}" for words, n in why.items() if n)


def check_size(plan: Plan, n_images: int, groups: Sequence[str] | None, taken: str) -> None:
    """Return if there are pictures (or groups of them) enough for an interval.

    Args:
        n_images: that are left.
        groups: of each, where the plan has groups.
        taken: of :func:`left_out`.

    Raises:
        SaecliError: if there are too few.
    """
    rule = plan.rule
    if n_images < rule.least_images:
        raise SaecliError(
            f"{n_images} {'picture' if n_images == 1 else 'pictures'} of '{plan.class_name}' "
            f"{'is' if n_images == 1 else 'are'} left to test on{taken}",
            f"give at least {rule.least_images} that no recorded selection of the latents used",
        )
    if groups is not None and len(set(groups)) < rule.least_images:
        raise SaecliError(
            f"the {n_images} pictures of '{plan.class_name}' are of {len(set(groups))} groups, "
            f"which are what an interval is drawn from{taken}",
            f"give pictures of at least {rule.least_images} groups",
        )


def _masks_digest(masks: Masks | None, files: Sequence[ImageFile]) -> str | None:
    if masks is None:
        return None
    found = files_digest([find_mask(masks.folder, file) for file in files])
    return digest_of([list(masks.classes), found])


def _without_thumbnails(subjects: Subjects) -> Subjects:
    """Once the catalog has them, they would only fill the memory of a large family of tests."""
    return replace(subjects, infos=tuple(replace(info, thumbnail=b"") for info in subjects.infos))
