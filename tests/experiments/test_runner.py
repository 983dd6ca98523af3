"""Batched arms equal one picture and one arm at a time, and an interrupted run resumes."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax

from saecli.errors import SaecliError
from saecli.experiments import prefixes as prefixes_module
from saecli.experiments import runner
from saecli.experiments.arms import Encoded, LatentArm, ReconstructionArm, TwinArm, ZeroArm
from saecli.experiments.controls import other_latents, own_knockouts, random_directions
from saecli.experiments.interventions import Edit, Value
from saecli.experiments.margins import Contrast
from saecli.experiments.prefixes import images_per_batch
from saecli.experiments.results import Results
from saecli.experiments.runner import Bench, Regions, rows, run
from tests.experiments.conftest import LAYER, N_IMAGES, N_LATENTS

SETS = np.array([[1, 2, 4], [30, 31, 32]])


def arms_of(lab, value="ablate", scope="active"):
    target = lab.target(value=value, scope=scope)
    means = lab.activations().mean(dim=(0, 1))[[3, 8, 21]]
    mean = LatentArm(
        "mean_ablation", 0, lab.dictionary, Edit((3, 8, 21), Value("mean"), scope), means
    )
    maxima = torch.arange(N_LATENTS).float()
    return [
        target,
        *other_latents(target, SETS, seed=0),
        *random_directions(target, 2, seed=0),
        *own_knockouts(target, SETS, maxima),
        ReconstructionArm(lab.dictionary),
        mean,
        TwinArm(),
    ]


def slow_patches(lab, arms, x):
    """Each arm's patches (P, D) of one picture, by loops over latents in float64."""
    d = lab.dictionary.to(dtype=torch.float64)
    x = x.double()
    f, W, s = d.encode(x), d.W_dec, float(d.scale)

    def edit(latents, value, reference, scope):
        moved = torch.zeros_like(x)
        for k, latent in enumerate(latents):
            v = {
                "ablate": 0 * f[:, latent],
                "scale": value.amount * f[:, latent],
                "set": value.amount * reference[k] + 0 * f[:, latent],
                "mean": reference[k] + 0 * f[:, latent],
            }[value.kind]
            for p in range(len(x)):
                if scope == "all" or f[p, latent] != 0:
                    moved[p] += s * (v[p] - f[p, latent]) * W[latent]
        return moved

    found = [x, x]
    target = arms[0]
    reference = target.reference.double()
    spec = (target.edit.latents, target.edit.value, reference, target.edit.scope)
    wanted = edit(*spec)
    for arm in arms:
        if arm.kind in ("target", "own_knockout", "mean_ablation"):
            e = arm.edit
            found.append(x + edit(e.latents, e.value, arm.reference.double(), e.scope))
        elif arm.kind == "reconstruction":
            found.append(d.decode(f))
        elif arm.kind == "twin":
            found.append(None)
        else:
            push = torch.zeros_like(x)
            for k, direction in enumerate(arm.directions.double()):
                latent = target.edit.latents[arm.order[k]]
                one = edit((latent,), spec[1], reference[arm.order[k] : arm.order[k] + 1], spec[3])
                push += (one @ W[latent])[:, None] * direction
            norm = push.norm(dim=1, keepdim=True)
            push = torch.where(norm > 0, push / norm.clamp_min(1e-30), 0)
            found.append(x + push * wanted.norm(dim=1, keepdim=True))
    return found


def collect(bench, arms, prefixes, **options):
    pictures = {}
    run(bench, arms, prefixes, on_pictures=pictures.update, **options)
    return pictures


@pytest.mark.parametrize("probe", ["classification", "zero_shot", "segmentation"])
@pytest.mark.parametrize(("value", "scope"), [("ablate", "active"), ("set:-2", "all")])
@pytest.mark.parametrize("b", [2, None])
def test_every_arm_equals_its_slow_twin(request, probe, value, scope, b):
    lab = request.getfixturevalue("dinov2_lab" if probe == "segmentation" else "clip_lab")
    reads = {"classification": "cls+mean_patches", "zero_shot": "embedding"}.get(probe, "patches")
    head = lab.probe(probe, reads)
    bench = lab.bench(head, Contrast(1, b))
    twin_pixels = lab.pixels.flip(0)
    arms = arms_of(lab, value, scope)
    pictures = collect(bench, arms, lab.prefixes(), twins=lab.prefixes(pixels=twin_pixels))
    assert sorted(pictures) == list(range(N_IMAGES))
    some_target = False
    for i in range(0, N_IMAGES, 3):
        output = lab.backbone.record(lab.pixels[i : i + 1], LAYER)
        twin = lab.backbone.record(twin_pixels[i : i + 1], LAYER)
        logits = []
        for patches in slow_patches(lab, arms, output.patches[0]):
            edited = twin if patches is None else output.with_patches(patches[None].float())
            with torch.no_grad():
                out = head.logits(lab.backbone.resume(edited, LAYER))[0]
            logits.append(out.double().numpy().reshape(-1, 4))
        before = logits[0].argmax(-1)
        target = before == 1 if probe == "segmentation" else np.array([True])
        some_target |= bool(target.any())
        for row, z in enumerate(logits):
            margin = z[:, 1] - (z[:, b] if b else logsumexp(z[:, [0, 2, 3]], axis=1))
            found, after = pictures[i], z.argmax(-1)
            if target.any():
                assert found["margin"][row] == pytest.approx(margin[target].mean(), abs=2e-3)
            else:
                assert np.isnan(found["margin"][row])
            if (~target).any():
                expected = pytest.approx(margin[~target].mean(), abs=2e-3)
                assert found["margin_other"][row] == expected
            was_a = target & (before == 1)
            assert found["left"][row] == (was_a & (after != 1)).sum()
            assert found["gained"][row] == (was_a & (after == b)).sum()
            assert found["changed_target"][row] == (target & (after != before)).sum()
            assert found["changed_other"][row] == (~target & (after != before)).sum()
            if probe != "segmentation":
                assert found["predicted"][row] == after[0]
        assert found["n_a"] == was_a.sum()
        assert (found["n_target"], found["n_other"]) == (target.sum(), (~target).sum())
        if target.any():
            for which, row in ((0, 0), (1, 2)):
                expected = softmax(logits[row], axis=-1)[target].mean(axis=0)
                np.testing.assert_allclose(found["probabilities"][which], expected, atol=1e-3)
    assert some_target


def test_the_zero_edit_moves_no_logit_at_all(lab):
    for value in ("ablate", "set:-2"):
        arms = [lab.target(value=value, scope="all")]
        pictures = collect(lab.bench(), arms, lab.prefixes())
        results = Results.of(rows(arms), pictures)
        assert results.zero_difference() == 0.0
        assert np.array_equal(results.margins("zero_edit"), results.margins("baseline"))
        assert np.abs(results.effects("target")).max() > 0


def test_the_zero_edit_goes_through_every_patch_that_the_target_s_edit_moves(lab):
    target = lab.target()
    batch = Encoded.of(target.dictionary, lab.prefixes()[0])
    places = batch.move(target).places
    assert 0 < len(places) < batch.x[..., 0].numel()
    zero = ZeroArm(target)
    assert torch.equal(zero.apply(batch).tokens, batch.output.tokens)
    broken = torch.full_like(target.directions, torch.inf)  # 0 · inf shows which patches it moves
    object.__setattr__(target, "directions", broken)
    touched = zero.apply(batch).patches.isnan().all(dim=-1).flatten().nonzero()[:, 0]
    assert torch.equal(touched, places)


def test_a_network_that_gives_no_numbers_is_not_judged(lab):
    target = lab.target()
    object.__setattr__(target, "directions", torch.full_like(target.directions, 1e38))
    with pytest.raises(SaecliError, match="no numbers"):
        collect(lab.bench(), [target], lab.prefixes())


def test_masks_choose_the_patches(dinov2_lab):
    rng = np.random.default_rng(0)
    target = rng.random((N_IMAGES, 16)) < 0.3
    other = ~target & (rng.random((N_IMAGES, 16)) < 0.5)
    bench = dinov2_lab.bench(dinov2_lab.probe("segmentation", "patches"))
    arms = [dinov2_lab.target(value="set:-3", scope="all")]
    found = Results.of(
        rows(arms), collect(bench, arms, dinov2_lab.prefixes(), regions=Regions(target, other))
    )
    output = dinov2_lab.backbone.record(dinov2_lab.pixels, LAYER)
    x = output.patches.double()
    d = dinov2_lab.dictionary.to(dtype=torch.float64)
    f = d.encode(x)
    moved = d.scale * ((-3 * (3 + torch.arange(3)) - f[..., [3, 8, 21]]) @ d.W_dec[[3, 8, 21]])
    with torch.no_grad():
        z = [
            bench.probe.logits(dinov2_lab.backbone.resume(o, LAYER)).double().numpy()
            for o in (output, output.with_patches((x + moved).float()))
        ]
    changed = z[0].argmax(-1) != z[1].argmax(-1)
    ((inside, outside),) = found.changed("target")
    assert inside == pytest.approx((changed & target).sum() / target.sum())
    assert outside == pytest.approx((changed & other).sum() / other.sum())
    was_a = target & (z[0].argmax(-1) == 1)
    ((left, gained),) = found.flipped("target")
    assert left == pytest.approx((was_a & (z[1].argmax(-1) != 1)).sum() / was_a.sum())
    assert gained == pytest.approx((was_a & (z[1].argmax(-1) == 2)).sum() / was_a.sum())
    margin = [one[..., 1] - one[..., 2] for one in z]
    per_picture = [np.ma.array(m, mask=~other).mean(axis=1).filled(np.nan) for m in margin]
    np.testing.assert_allclose(found.changes_without(), per_picture[1] - per_picture[0], atol=1e-3)


def test_residual_and_norm_are_those_of_the_edited_patches(dinov2_lab):
    arms = [dinov2_lab.target()]
    found = Results.of(rows(arms), collect(dinov2_lab.bench(), arms, dinov2_lab.prefixes()))
    x = dinov2_lab.backbone.record(dinov2_lab.pixels, LAYER).patches
    d = dinov2_lab.dictionary
    f = d.encode(x)[..., [3, 8, 21]]
    moved = d.scale * (-f @ d.W_dec[[3, 8, 21]])
    edited = (f != 0).any(dim=-1)
    again = d.encode(x + moved)[..., [3, 8, 21]]
    assert found.residual() == pytest.approx(float(again[edited].sum() / f[edited].sum()), rel=1e-4)
    assert found.edit_norm() == pytest.approx(float(moved.norm(dim=-1)[edited].mean()), rel=1e-4)


def test_an_interrupted_run_resumes_to_the_same_figures(lab):
    arms = arms_of(lab)[:-1]
    whole = collect(lab.bench(), arms, lab.prefixes())
    kept = {}

    def stop_after_two_batches(pictures):
        kept.update(pictures)
        if len(kept) > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(lab.bench(), arms, lab.prefixes(), on_pictures=stop_after_two_batches)
    assert 0 < len(kept) < N_IMAGES
    del kept[1]  # a batch of which one picture was not stored
    rest = {}
    run(lab.bench(), arms, lab.prefixes(), on_pictures=rest.update, done=kept)
    assert sorted([*kept, *rest]) == list(range(N_IMAGES))
    for position, figures in {**kept, **rest}.items():
        for name, values in figures.items():
            np.testing.assert_array_equal(values, whole[position][name], err_msg=name)


class Counting:
    """A backbone that counts the rows it runs and the largest batch it sees."""

    def __init__(self, backbone):
        self.backbone, self.recorded, self.resumed, self.largest = backbone, 0, 0, 0

    def __getattr__(self, name):
        return getattr(self.backbone, name)

    def record(self, pixels, layer):
        self.recorded += len(pixels)
        return self.backbone.record(pixels, layer)

    def resume(self, output, layer, *, patches=True):
        self.resumed += len(output.tokens)
        self.largest = max(self.largest, len(output.tokens))
        return self.backbone.resume(output, layer, patches=patches)


@pytest.mark.parametrize("n_controls", [3, 60])
def test_the_prefix_runs_once_per_picture_and_passes_stay_bounded(dinov2_lab, n_controls):
    counting = Counting(dinov2_lab.backbone)
    target = dinov2_lab.target()
    arms = [target, *random_directions(target, n_controls, seed=0)]
    bench = Bench(counting, dinov2_lab.dictionary, dinov2_lab.probe(), Contrast(1, 2))
    prefixes = prefixes_module.Prefixes(
        counting, LAYER, lambda at: dinov2_lab.pixels[torch.from_numpy(at)], N_IMAGES, 4
    )
    collect(bench, arms, prefixes)
    [prefixes[i] for i in range(len(prefixes))]
    assert counting.recorded == N_IMAGES
    assert counting.resumed == N_IMAGES * (len(arms) + 2)
    assert counting.largest <= runner.ROWS


def test_prefixes_beyond_the_bound_are_recorded_again(dinov2_lab):
    counting = Counting(dinov2_lab.backbone)
    one = dinov2_lab.prefixes()[0].tokens
    room = one.numel() * one.element_size()
    prefixes = prefixes_module.Prefixes(
        counting,
        LAYER,
        lambda at: dinov2_lab.pixels[torch.from_numpy(at)],
        N_IMAGES,
        4,
        max_bytes=room,
    )
    first = [prefixes[i].tokens for i in range(3)]
    again = [prefixes[i].tokens for i in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    # the first batch is kept, of 4; the second, of 4, is not; the last, of 2, no longer fits
    assert counting.recorded == N_IMAGES + 6
    with pytest.raises(IndexError):
        prefixes[3]


def test_batches_shrink_with_wide_dictionaries():
    assert images_per_batch(196, 512) == 16
    assert images_per_batch(256, 24_576) == 10
    assert images_per_batch(1369, 100_000) == 1


def test_what_does_not_belong_together_is_refused(clip_lab, dinov2_lab):
    arms = [clip_lab.target()]
    foreign = Bench(dinov2_lab.backbone, clip_lab.dictionary, dinov2_lab.probe(), Contrast(1))
    with pytest.raises(SaecliError):
        run(foreign, arms, dinov2_lab.prefixes(), on_pictures={}.update)
    probe = Bench(clip_lab.backbone, clip_lab.dictionary, dinov2_lab.probe(), Contrast(1))
    with pytest.raises(SaecliError, match="probe was made for another backbone"):
        run(probe, arms, clip_lab.prefixes(), on_pictures={}.update)
    with pytest.raises(SaecliError, match="'b' is compared with itself"):
        run(
            clip_lab.bench(contrast=Contrast(1, 1)),
            arms,
            clip_lab.prefixes(),
            on_pictures={}.update,
        )
