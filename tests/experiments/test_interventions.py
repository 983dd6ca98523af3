"""The edit does what the formula says, and nothing else."""

import pytest
import torch

from saecli.backbones.protocol import LayerOutput
from saecli.errors import SaecliError
from saecli.experiments.arms import Encoded, LatentArm
from saecli.experiments.interventions import (
    UNCHANGED,
    Edit,
    Value,
    coefficients,
    format_scope,
    parse_scope,
    with_norm_of,
)
from saecli.grid import Grid
from tests.dictionaries import random_dictionary

LATENTS = (2, 7, 11)


@pytest.fixture(params=["topk", "relu", "jumprelu"])
def dictionary(request):
    return random_dictionary(activation=request.param).to(dtype=torch.float64)


@pytest.fixture
def x():
    return 3 * torch.randn(5, 6, 8, generator=torch.Generator().manual_seed(1)).double()


def edited(dictionary, x, value, scope="active", reference=None):
    reference = torch.zeros(len(LATENTS)) if reference is None else reference
    arm = LatentArm("target", 0, dictionary, Edit(LATENTS, value, scope), reference.to(x))
    return arm.apply(Encoded.of(dictionary, LayerOutput(x, 0))).patches


def test_ablation_equals_decoding_without_the_latents(dictionary, x):
    f = dictionary.encode(x)
    without = f.clone()
    without[..., LATENTS] = 0
    expected = x - dictionary.decode(f) + dictionary.decode(without)
    got = edited(dictionary, x, Value("ablate"))
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)
    assert not torch.equal(got, x)


def test_each_value_equals_decoding_with_it(dictionary, x):
    f, maxima = dictionary.encode(x), torch.tensor([1.0, 2.0, 5.0]).double()
    wanted = {
        "scale:2.5": 2.5 * f[..., LATENTS],
        "set:-2": -2 * maxima.expand(5, 6, 3),
        "ablate": torch.zeros(5, 6, 3).double(),
    }
    for text, values in wanted.items():
        changed = f.clone()
        changed[..., LATENTS] = values
        expected = x - dictionary.decode(f) + dictionary.decode(changed)
        got = edited(dictionary, x, Value.parse(text), "all", maxima)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)
    means = edited(dictionary, x, Value("mean"), "all", maxima)
    changed = f.clone()
    changed[..., LATENTS] = maxima
    expected = x - dictionary.decode(f) + dictionary.decode(changed)
    torch.testing.assert_close(means, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("scope", ["active", "all", (0, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_zero_edit_is_bit_equal(dictionary, x, scope, dtype):
    x = x.to(dtype)
    got = edited(dictionary.to(dtype=dtype), x, UNCHANGED, scope)
    integers = torch.int32 if dtype == torch.float32 else torch.int64
    assert torch.equal(got.view(integers), x.view(integers))


def test_the_active_scope_moves_each_latent_only_where_it_fires_itself():
    f = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    got = coefficients(f, Value("set", -1.0), "active", torch.tensor([4.0, 3.0]))
    assert got.tolist() == [[-6.0, 0.0], [0.0, -4.0], [0.0, 0.0]]


def test_a_patch_list_leaves_every_other_patch_alone(dictionary, x):
    got = edited(dictionary, x, Value("set", -2.0), (1, 4), torch.ones(3))
    same = (got == x).all(dim=-1)
    assert same[:, [0, 2, 3, 5]].all()
    assert not same[:, [1, 4]].any()


def test_a_push_takes_the_norm_of_the_edit_and_no_edit_gives_no_push():
    generator = torch.Generator().manual_seed(0)
    push = torch.randn(4, 9, 8, generator=generator)
    edit = torch.randn(4, 9, 8, generator=generator) * torch.rand(4, 9, 1, generator=generator)
    edit[0, 0], push[1, 1] = 0.0, 0.0
    got = with_norm_of(push, edit)
    assert got[0, 0].abs().max() == got[1, 1].abs().max() == 0
    norms = edit.norm(dim=-1)
    norms[1, 1] = 0.0
    torch.testing.assert_close(got.norm(dim=-1), norms)


@pytest.mark.parametrize("text", ["ablate", "scale:0.5", "set:-2", "set:20", "scale:0"])
def test_values_read_back_what_they_write(text):
    assert str(Value.parse(text)) == text


@pytest.mark.parametrize("text", ["", "set", "set:", "set:nan", "scale:inf", "mean", "double:2"])
def test_other_values_are_refused(text):
    with pytest.raises(SaecliError, match="no value") as found:
        Value.parse(text)
    assert found.value.usage


def test_scopes_read_back_what_they_write():
    grid = Grid(4, 4)
    assert parse_scope("active", grid) == "active"
    assert parse_scope("all", grid) == "all"
    assert format_scope(parse_scope("3,1,10-12", grid)) == "1,3,10,11,12"
    for wrong in ("none", "", "16", "3-1"):
        with pytest.raises(SaecliError):
            parse_scope(wrong, grid)


def test_an_edit_needs_latents_that_the_dictionary_has():
    dictionary = random_dictionary(n_latents=24)
    Edit((0, 23), Value("ablate"), "active").check(dictionary)
    with pytest.raises(SaecliError, match="latent 24 is beyond"):
        Edit((0, 24), Value("ablate"), "active").check(dictionary)
    with pytest.raises(SaecliError, match="no latent"):
        Edit((), Value("ablate"), "active").check(dictionary)
    foreign = random_dictionary(normalisation="layer_norm")
    with pytest.raises(SaecliError, match="layer_norm"):
        Edit((0,), Value("ablate"), "active").check(foreign)
