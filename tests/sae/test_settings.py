"""Settings resolve to one plan; nonsense is refused."""

import json
from dataclasses import asdict, replace
from itertools import pairwise

import pytest

from saecli.errors import SaecliError
from saecli.sae.plan import resolve
from saecli.sae.settings import PRESETS, TrainSettings, n_latents_of

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("text", "n"), [("8x", 3072), ("8X", 3072), ("0.5x", 192), ("1536", 1536), ("24k", 24_000)]
)
def test_latents_are_a_count_or_a_multiple_of_the_width(text, n):
    assert n_latents_of(text, 384) == n


@pytest.mark.parametrize("text", ["", "x", "8y", "-3", "0x", "0", "1.5"])
def test_other_latents_are_refused(text):
    with pytest.raises(SaecliError) as raised:
        n_latents_of(text, 384)
    assert raised.value.usage


@pytest.mark.parametrize(
    ("n_patches", "trained"), [(64_000, 20 * 64_000), (5 * MILLION, 100 * MILLION)]
)
def test_the_default_is_the_smaller_of_100m_patches_and_20_passes(n_patches, trained):
    plan = resolve(TrainSettings(), 384, n_patches)
    assert trained - plan.batch < plan.n_patches <= trained
    assert (plan.objective, plan.n_latents, plan.k) == ("topk", 3072, 32)


def test_dead_is_ten_million_patches_or_the_whole_set():
    assert resolve(TrainSettings(), 384, 64_000).dead_window == 64_000
    assert resolve(TrainSettings(), 384, 20 * MILLION).dead_window == 10 * MILLION


def test_the_papers_preset_is_its_table():
    plan = resolve(PRESETS["paper"], 768, 250 * MILLION)
    assert (plan.objective, plan.n_latents, plan.batch) == ("relu", 24_576, 16_384)
    assert (plan.l1, plan.lr, plan.lr_warmup, plan.penalty_warmup) == (8e-4, 3e-3, 500, 500)
    assert 100 * MILLION - plan.batch < plan.n_patches <= 100 * MILLION
    assert plan.lr_at(500) == plan.lr_at(plan.n_steps - 1) == 3e-3


def test_the_fieldguides_preset_is_its_recipe():
    plan = resolve(PRESETS["fieldguide"], 192, 784_000)
    assert (plan.n_latents, plan.k, plan.n_steps, plan.batch) == (512, 8, 1600, 4096)
    assert (plan.lr, plan.aux_after, plan.decay_from) == (2e-3, 30 * 4096, 1200)


def test_a_jumprelu_starts_with_its_encoder_s_length_fitted_also_in_a_long_run():
    """Else its activations shrink below thresholds that no gradient reaches: L0 0.4 of k = 8."""
    preset = PRESETS["fieldguide"]
    fitted = {
        objective: resolve(replace(preset, objective=objective), 128, 784_000).fit_encoder
        for objective in ("topk", "jumprelu")
    }
    assert fitted == {"topk": False, "jumprelu": True}


def test_the_rate_warms_up_stays_and_falls_to_nothing():
    plan = resolve(
        TrainSettings(lr=1.0, n_patches=100_000, batch=100, lr_warmup=10, decay=0.25), 16, 5000
    )
    rates = [plan.lr_at(step) for step in range(plan.n_steps)]
    assert rates[:10] == pytest.approx([(i + 1) / 11 for i in range(10)])
    assert rates[10:750] == pytest.approx([1.0] * 740)
    assert all(a > b for a, b in pairwise(rates[750:]))
    assert 0 < rates[-1] < 0.01


def test_the_penalty_warms_up_over_a_quarter_of_a_short_run_at_most():
    plan = resolve(TrainSettings(l1=1.0, n_patches=4000, batch=100, penalty_warmup=500), 16, 5000)
    weights = [plan.warmth_at(step) for step in range(40)]
    assert weights[:10] == pytest.approx([(i + 1) / 11 for i in range(10)])
    assert weights[10:] == [1.0] * 30


def test_prefixes_are_widths_below_the_whole_in_order():
    plan = resolve(TrainSettings(latents="8x", prefixes=("4x", "24")), 16, 5000)
    assert plan.prefixes == plan.widths == (24, 64, 128)
    assert resolve(TrainSettings(latents="8x"), 16, 5000).widths == (128,)


def test_more_latents_learn_more_slowly():
    rates = [resolve(TrainSettings(latents=n), 64, 9999).lr for n in ("512", "2048", "8192")]
    assert rates == pytest.approx([4e-3, 2e-3, 1e-3])


def test_a_set_smaller_than_a_batch_still_trains():
    plan = resolve(TrainSettings(passes=1), 16, 60)
    assert (plan.batch, plan.n_steps) == (60, 1)
    assert plan.lr_at(0) > 0


def test_a_plan_is_plain_json():
    plan = resolve(TrainSettings(), 16, 5000)
    assert json.loads(json.dumps(asdict(plan))) == asdict(plan)


@pytest.mark.parametrize(
    "change",
    [
        {"k": 0},
        {"k": 129},
        {"batch": 0},
        {"lr": 0.0},
        {"lr": -1e-3},
        {"l1": -1.0},
        {"l0": -1.0},
        {"bandwidth": 0.0},
        {"prefixes": ("8x",)},
        {"n_patches": 0},
        {"decay": 1.5},
        {"held_out": 1.0},
        {"passes": 0},
    ],
)
def test_settings_that_cannot_be_meant_are_wrong_usage(change):
    with pytest.raises(SaecliError) as raised:
        resolve(replace(TrainSettings(), **change), 16, 5000)
    assert raised.value.usage
    assert next(iter(change)) in str(raised.value)
