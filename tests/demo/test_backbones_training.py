"""The parts of the trainings hold what they promise, and both scripts run from end to end."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from torch.nn import functional
from transformers import Dinov2Model

from saecli.demo.backbones.clip import (
    ClipSettings,
    DenseConcepts,
    contrastive_loss,
    model_config,
    train_clip,
)
from saecli.demo.backbones.dinov2 import (
    Dinov2Settings,
    encode,
    new_model,
    pair_loss,
    to_patches,
    train_dinov2,
)
from saecli.demo.backbones.evaluation import linear_probe, mean_iou, patch_labels
from saecli.demo.backbones.inputs import to_input
from saecli.demo.backbones.pictures import PoolSettings, draw_picture, open_pool, render_pool
from saecli.demo.backbones.runs import Run
from saecli.demo.backbones.schedule import Clock, cosine_rate
from saecli.demo.backbones.tokenizer import words_of
from saecli.demo.backbones.towers import image_features, shuffle_class_tokens, text_features
from saecli.demo.backbones.views import ViewSettings, cut_views, same_places
from saecli.demo.world import render

SMALL_POOL = PoolSettings(n_pictures=64, n_captions=2)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    render_pool(SMALL_POOL, folder, workers=1)
    return folder


class Hands:
    """A CPU clock and a wall clock that a test turns by hand."""

    def __init__(self) -> None:
        self.spent = 0.0
        self.now = datetime(2026, 1, 1, 12, 0).timestamp()

    def clock(self, seconds: float, deadline: Path | None = None) -> Clock:
        return Clock(seconds, 0.0, deadline, cpu=lambda: self.spent, wall=lambda: self.now)


def test_progress_is_the_share_of_the_cpu_time_spent() -> None:
    hands = Hands()
    clock = hands.clock(200.0)
    seen = []
    for _ in range(4):
        hands.spent += 50
        seen.append(clock.tick())
    assert seen == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_a_deadline_given_later_bends_the_schedule_to_its_time(tmp_path: Path) -> None:
    hands, deadline = Hands(), tmp_path / "deadline"
    clock = hands.clock(1000.0, deadline)
    hands.spent += 500
    hands.now += 600
    assert clock.tick() == pytest.approx(0.5)
    deadline.write_text("2026-01-01T12:11:40")  # 100 seconds from now
    hands.now += 50
    assert clock.tick() == pytest.approx(0.75)
    hands.now += 50
    assert clock.tick() == 1.0


def test_the_rate_rises_linearly_and_ends_at_its_share() -> None:
    assert cosine_rate(1.0, 0.0, 4, 10, 0.01) == pytest.approx(0.5)
    assert cosine_rate(1.0, 0.5, 99, 10, 0.0) == pytest.approx(0.5)
    assert cosine_rate(2.0, 1.0, 99, 10, 0.01) == pytest.approx(0.02)


def test_the_pool_holds_the_pictures_of_the_world_and_their_captions(work: Path) -> None:
    pool = open_pool(work)
    picture, captions = draw_picture(SMALL_POOL, 17)
    np.testing.assert_array_equal(pool.pixels[17], picture.image)
    assert pool.captions[17] == captions
    assert pool.concepts[17] == picture.concept
    assert sum(c is not None for c in pool.concepts) > 4


@pytest.fixture(scope="module")
def clip() -> open_clip.CLIP:
    torch.manual_seed(0)
    config = model_config(ClipSettings(width=64, layers=3), 50)["model_cfg"]
    return open_clip.CLIP(**config).eval()


def test_the_towers_run_block_by_block_give_the_library_s_output(clip: open_clip.CLIP) -> None:
    images = torch.randn(3, 3, 112, 112)
    tokens = torch.randint(1, 49, (5, 24))
    tokens[:, 9], tokens[:, 10:] = 49, 0
    with torch.no_grad():
        features, patches = image_features(clip, images)
        torch.testing.assert_close(features, clip.encode_image(images), rtol=0, atol=1e-5)
        between = clip.visual.forward_intermediates(images, indices=[1], output_fmt="NLC")
        expected = between["image_intermediates"][0]
        torch.testing.assert_close(patches, expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(
            text_features(clip, tokens), clip.encode_text(tokens), rtol=0, atol=1e-5
        )


def test_dropped_patches_leave_half_of_them(clip: open_clip.CLIP) -> None:
    _, patches = image_features(clip, torch.randn(2, 3, 112, 112), kept=0.5)
    assert patches.shape == (2, 98, 64)


def test_a_shuffled_class_token_is_always_another_picture_s() -> None:
    tokens = torch.arange(6.0)[:, None, None].expand(6, 3, 2)
    torch.manual_seed(0)
    for _ in range(20):
        shuffled = shuffle_class_tokens(tokens, 1.0)
        assert (shuffled[:, 0] != tokens[:, 0]).all()
        assert (shuffled[:, 1:] == tokens[:, 1:]).all()
    assert shuffle_class_tokens(tokens, 0.0) is tokens


def test_encoding_all_patches_gives_the_library_s_final_output() -> None:
    model = new_model(Dinov2Settings(width=64, layers=2)).eval()
    images = torch.randn(2, 3, 112, 112)
    everything = torch.arange(256).expand(2, -1)
    with torch.no_grad():
        expected = model(images).last_hidden_state
        torch.testing.assert_close(encode(model, images, everything, 0.0), expected)


def test_the_contrastive_loss_is_the_sum_written_out() -> None:
    torch.manual_seed(1)
    images = functional.normalize(torch.randn(4, 8), dim=-1).double()
    texts = functional.normalize(torch.randn(3, 8), dim=-1).double()
    which = torch.tensor([0, 1, 0, 2])
    cosines = (5.0 * images @ texts.T).numpy()
    total = 0.0
    for i, t in enumerate(which.tolist()):
        total -= np.log(np.exp(cosines[i, t]) / np.exp(cosines[i]).sum())
        same = [j for j, u in enumerate(which.tolist()) if u == t]
        total -= np.mean(
            [np.log(np.exp(cosines[j, t]) / np.exp(cosines[:, t]).sum()) for j in same]
        )
    loss = contrastive_loss(images, texts, which, torch.tensor(5.0).double())
    assert float(loss) == pytest.approx(total / 8)


def test_the_contrast_of_pairs_is_the_sum_written_out() -> None:
    torch.manual_seed(2)
    first, second = torch.randn(3, 5), torch.randn(3, 5)
    both = functional.normalize(torch.cat([first, second]), dim=-1).numpy()
    total = 0.0
    for i in range(6):
        others = [both[i] @ both[j] / 0.2 for j in range(6) if j != i]
        total += np.log(np.exp(others).sum()) - both[i] @ both[(i + 3) % 6] / 0.2
    assert float(pair_loss(first, second, 0.2)) == pytest.approx(total / 6, rel=1e-5)


def test_the_dense_loss_falls_when_patches_point_to_their_concept() -> None:
    torch.manual_seed(3)
    dense = DenseConcepts(16, 8.0)
    concepts = torch.linalg.qr(torch.randn(16, 16)).Q[:3]
    labels = torch.tensor([0, 2])
    towards = (concepts[labels] @ dense.rotation.T)[:, None].expand(2, 5, 16)
    chance = dense(torch.randn(2, 5, 16), concepts, labels)
    assert dense(towards, concepts, labels) < 0.1 < chance


def test_paired_patches_show_the_same_pixels() -> None:
    torch.manual_seed(4)
    ramp = torch.linspace(-1, 1, 112)
    pictures = torch.stack(
        [ramp.expand(112, 112), ramp[:, None].expand(112, 112), torch.zeros(112, 112)]
    )
    pictures = pictures.expand(6, 3, 112, 112)
    settings = ViewSettings(brightness=0, contrast=0, tint=0, bordered=0)
    first, second = cut_views(pictures, 16, settings), cut_views(pictures, 16, settings)
    picture, left, right = same_places(first.places, second.places, 1 / 16)
    assert len(picture) > 200
    means = [to_patches(v.images, 7).view(6, 256, 3, 49).mean(-1)[..., :2] for v in (first, second)]
    difference = means[0][picture, left] - means[1][picture, right]
    assert difference.abs().max() < 1 / 16 + 0.02
    torch.testing.assert_close(first.places, means[0], rtol=0, atol=0.03)


def test_patches_of_a_foreign_border_are_in_no_pair() -> None:
    torch.manual_seed(5)
    settings = ViewSettings(bordered=1.0)
    first = cut_views(torch.randn(4, 3, 112, 112), 16, settings)
    second = cut_views(torch.randn(4, 3, 112, 112), 16, settings)
    foreign = first.places.isnan().any(-1)
    assert foreign.float().mean() > 0.1
    picture, left, _ = same_places(first.places, second.places, 1 / 16)
    assert len(picture) > 50
    assert not foreign[picture, left].any()


def test_a_run_goes_on_from_its_checkpoint_unless_the_settings_differ(tmp_path: Path) -> None:
    def parts() -> dict[str, object]:
        layer = torch.nn.Linear(2, 2)
        return {"layer": layer, "optimizer": torch.optim.AdamW(layer.parameters())}

    first = parts()
    run = Run("small", tmp_path, Dinov2Settings(minutes=2.0), first)
    run.count(8, {"loss": torch.tensor(1.0)})
    run.save({})
    again = parts()
    later = Run("small", tmp_path, Dinov2Settings(minutes=2.0), again)
    assert (later.step, later.pictures) == (1, 8)
    assert later.clock.seconds_left == pytest.approx(120, abs=20)
    assert torch.equal(again["layer"].weight, first["layer"].weight)  # type: ignore[attr-defined]
    assert Run("small", tmp_path, Dinov2Settings(seed=1), parts()).step == 0


def test_the_clip_script_trains_a_folder_that_open_clip_loads(work: Path, tmp_path: Path) -> None:
    settings = ClipSettings(
        minutes=0.02, width=32, layers=2, text_layers=1, batch=16, chunk=8, warmup=1
    )
    train_clip(settings, work, tmp_path / "clip", probe=8)
    name = f"local-dir:{tmp_path / 'clip'}"
    model, _, _ = open_clip.create_model_and_transforms(name)
    untrained = open_clip.CLIP(**model_config(settings, model.vocab_size)["model_cfg"])
    assert model.state_dict().keys() == untrained.state_dict().keys()
    assert asdict(settings)["width"] == model.visual.proj.shape[0]
    state = torch.load(work / "clip.pt", weights_only=True)
    assert state["step"] >= 1
    half = state["parts"]["model"]["visual.proj"].half().float()
    assert torch.equal(model.visual.proj, half)
    vocabulary = open_clip.get_tokenizer(name).tokenizer.get_vocab()
    told = {word for texts in open_pool(work).captions for text in texts for word in words_of(text)}
    assert told <= vocabulary.keys()


def test_the_dinov2_script_trains_a_folder_that_transformers_loads(
    work: Path, tmp_path: Path
) -> None:
    settings = Dinov2Settings(
        minutes=0.02, width=32, layers=2, heads=2, batch=8, chunk=8, decoder=24, warmup=1
    )
    train_dinov2(settings, work, tmp_path / "dinov2", probe=48)
    model = Dinov2Model.from_pretrained(tmp_path / "dinov2", dtype=torch.float32)
    state = torch.load(work / "dinov2.pt", weights_only=True)
    assert state["step"] >= 1
    assert state["parts"]["heads"].keys()
    trained = state["parts"]["model"]["encoder.layer.1.mlp.fc2.weight"]
    assert torch.equal(model.encoder.layer[1].mlp.fc2.weight, trained.half().float())
    fresh = new_model(settings).encoder.layer[1].mlp.fc2.weight
    assert not torch.allclose(trained, fresh)


def test_a_probe_finds_what_is_linearly_there() -> None:
    torch.manual_seed(6)
    x = torch.randn(300, 4) * torch.tensor([1.0, 100.0, 0.01, 1.0]) + 5
    score = (x[:, 0] - 5) + 100 * (x[:, 2] - 5)
    y = (score > -1).long() + (score > 1).long()
    head = linear_probe(x, y, 3, penalty=1e-4)
    assert (head(x).argmax(1) == y).float().mean() > 0.95


def test_mean_iou_is_that_of_the_sets() -> None:
    answers, truths = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    assert mean_iou(answers, truths, 3) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_patch_labels_are_the_class_that_fills_most_of_the_patch() -> None:
    from saecli.demo.backbones.evaluation import PATCH_CLASSES
    from saecli.demo.world import CLASSES, PARTS

    bird = next(p for p in (render(3, i, kind="bird") for i in range(9)) if p.mask.any())
    labels = patch_labels([bird], 7)[0].view(16, 16)
    for row, column in ((0, 0), (8, 8), (15, 3)):
        block = bird.mask[7 * row : 7 * row + 7, 7 * column : 7 * column + 7].ravel()
        names = ["bird" if CLASSES[c] in PARTS else CLASSES[c] for c in block]
        best = max(set(names), key=names.count)
        if names.count(best) > 25:
            label = int(labels[row, column])
            assert (PATCH_CLASSES[label] if label >= 0 else "unlabelled") == best


def test_inputs_are_normalised_as_the_folders_say() -> None:
    pixels = np.full((1, 2, 2, 3), 255, np.uint8)
    torch.testing.assert_close(to_input(pixels), torch.full((1, 3, 2, 2), 2.0))
