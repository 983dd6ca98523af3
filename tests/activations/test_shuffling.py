"""Shuffled reading: every patch once in each epoch, resumable anywhere, well mixed."""

import pytest
import torch

from saecli.activations.shuffling import GroupedStream, UniformStream
from saecli.activations.source import Position, Split, Stream
from saecli.errors import SaecliError

P = 5
IMAGES = torch.tensor([0, 2, 3, 4, 7, 8, 9, 11, 12])  # of 13; the rest is held out
STORE = torch.arange(13 * P, dtype=torch.float32).view(13, P, 1)  # a patch's value is its number


def uniform(seed: int = 0, start: Position | None = None) -> Stream:
    return UniformStream(STORE, IMAGES, seed, start or Position())


def grouped(
    seed: int = 0,
    start: Position | None = None,
    *,
    block: int = 2,
    group: int = 4,
    broken: tuple[int, ...] = (),
) -> Stream:
    def fetch(images: torch.Tensor) -> torch.Tensor:
        readable = [i for i in images.tolist() if i not in broken]
        return STORE[readable].flatten(0, 1)

    return GroupedStream(
        fetch, IMAGES, seed, start or Position(), images_per_block=block, images_per_group=group
    )


def numbers(drawn: torch.Tensor) -> list[int]:
    return drawn[:, 0].int().tolist()


ALL = sorted(number for image in IMAGES.tolist() for number in range(image * P, image * P + P))
KINDS = [uniform, grouped]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [1, 7, 45, 100])
def test_each_epoch_has_every_patch_exactly_once(kind, batch):
    stream = kind()
    drawn: list[int] = []
    while len(drawn) < 4 * 45:
        got = stream.draw(batch)
        assert got.shape == (batch, 1)
        assert got.dtype == torch.float32
        drawn += numbers(got)
    for epoch in range(4):
        assert sorted(drawn[45 * epoch : 45 * epoch + 45]) == ALL


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "of"), [(12, 3), (100, 2)])
def test_shares_of_a_draw_make_the_whole_and_move_on_alike(kind, batch, of):
    whole, shares = kind(seed=3), [kind(seed=3) for _ in range(of)]
    for _ in range(9):
        drawn = numbers(whole.draw(batch))
        parts = [numbers(one.draw(batch, (number, of))) for number, one in enumerate(shares)]
        assert [len(part) for part in parts] == [batch // of] * of
        assert [number for part in parts for number in part] == drawn
        assert {one.position for one in shares} == {whole.position}


@pytest.mark.parametrize("kind", KINDS)
def test_epochs_and_seeds_differ_and_repeat(kind):
    first = kind(seed=1)
    epochs = [numbers(first.draw(45)) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert [numbers(kind(seed=1).draw(45))] == epochs[:1]
    assert numbers(kind(seed=2).draw(45)) != epochs[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_continues_from_any_position(kind):
    whole = kind(seed=5)
    drawn, positions = [], []
    for _ in range(30):
        positions.append(whole.position)
        drawn.append(numbers(whole.draw(4)))
    for step in (0, 1, 5, 11, 12, 23, 29):
        again = kind(seed=5, start=positions[step])
        assert [numbers(again.draw(4)) for _ in range(30 - step)] == drawn[step:]


def test_uniform_order_mixes_all_images():
    """A patch's place is uncorrelated with its image, over many epochs."""
    stream = uniform()
    places = torch.zeros(45)
    for _ in range(400):
        order = stream.draw(45)[:, 0]
        places += order.argsort().argsort().argsort().float() / 400
    assert float(places.std()) < 1.5  # 13/√400 = 0.65 expected; 13 if the order were fixed


def test_groups_are_of_random_blocks_and_of_even_size():
    stream = grouped(block=1, group=4)  # 9 blocks, 3 groups of 3
    sets = set()
    for _ in range(20):
        groups = [numbers(stream.draw(15)) for _ in range(3)]
        images = [tuple(sorted({n // P for n in group})) for group in groups]
        assert [len(group) for group in images] == [3, 3, 3]
        sets.add(images[0])
    assert len(sets) > 10


def test_broken_pictures_are_left_out_of_their_group():
    stream = grouped(broken=(2, 3, 12))
    left = [n for n in ALL if n // P not in (2, 3, 12)]
    assert sorted(numbers(stream.draw(len(left)))) == left


def test_a_set_of_broken_pictures_only_is_refused():
    with pytest.raises(SaecliError, match="none of the pictures could be read"):
        grouped(broken=tuple(IMAGES.tolist())).draw(1)


@pytest.mark.parametrize(
    ("n", "share", "most", "held"),
    [(100, 0.05, 50, 5), (10, 0.05, 50, 1), (2, 0.05, 9, 1), (1000, 0.5, 30, 30)],
)
def test_images_are_held_out_by_share_at_least_one(n, share, most, held):
    split = Split.of(n, share, most, seed=0)
    assert len(split.held_out) == held
    assert sorted(split.train.tolist() + split.held_out.tolist()) == list(range(n))
    assert split.train.tolist() == sorted(split.train.tolist())
    assert Split.of(n, share, most, seed=0).held_out.tolist() == split.held_out.tolist()


def test_a_single_image_is_on_both_sides():
    split = Split.of(1, 0.05, 50, seed=0)
    assert split.train.tolist() == split.held_out.tolist() == [0]
