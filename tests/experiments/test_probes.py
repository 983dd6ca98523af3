"""What a probe promises: its logits, its backbone, and its file."""

import json
import struct
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.experiments.probes import Probe, read
from saecli.experiments.zero_shot import zero_shot


@dataclass(frozen=True)
class Final:
    cls: torch.Tensor
    patches: torch.Tensor
    embedding: torch.Tensor | None


def final(batch=3, patches=5, width=4, embedding=6):
    generator = torch.Generator().manual_seed(0)
    return Final(
        torch.randn(batch, width, generator=generator),
        torch.randn(batch, patches, width, generator=generator),
        torch.randn(batch, embedding, generator=generator) if embedding else None,
    )


def probe(task="classification", reads="cls", width=4, classes=("ant", "bee", "wasp")):
    generator = torch.Generator().manual_seed(1)
    return Probe(
        task,
        tuple(classes),
        torch.randn(width, len(classes), generator=generator),
        torch.randn(len(classes), generator=generator),
        reads,
        "d" * 64,
    )


@pytest.mark.parametrize(
    ("task", "reads", "width", "shape"),
    [
        ("classification", "cls", 4, (3, 3)),
        ("classification", "cls+mean_patches", 8, (3, 3)),
        ("classification", "embedding", 6, (3, 3)),
        ("segmentation", "patches", 4, (3, 5, 3)),
        ("zero_shot", "embedding", 6, (3, 3)),
    ],
)
def test_logits_are_the_affine_map_of_what_the_probe_reads(task, reads, width, shape):
    out, head = final(), probe(task, reads, width)
    by_hand = {
        "cls": out.cls.numpy(),
        "cls+mean_patches": np.concatenate([out.cls.numpy(), out.patches.numpy().mean(1)], 1),
        "patches": out.patches.numpy(),
        "embedding": out.embedding.numpy()
        / np.linalg.norm(out.embedding.numpy(), axis=1, keepdims=True),
    }[reads]
    expected = np.einsum("...d,dc->...c", by_hand, head.weight.numpy()) + head.bias.numpy()
    got = head.logits(out)
    assert got.shape == shape
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_logits_carry_a_gradient_to_the_final_output():
    out, head = final(), probe("segmentation", "patches")
    out.patches.requires_grad_(True)
    head.logits(out)[0, 2, 1].backward()
    torch.testing.assert_close(out.patches.grad[0, 2], head.weight[:, 1])
    assert out.patches.grad[1:].abs().sum() == 0


def test_a_probe_survives_its_file_bit_for_bit():
    head = probe(classes=("blue jay", "Clark's nutcracker", "Zaunkönig"))
    again = Probe.from_bytes(head.to_bytes())
    assert (again.task, again.classes, again.reads, again.backbone_digest) == (
        head.task,
        head.classes,
        head.reads,
        head.backbone_digest,
    )
    assert torch.equal(again.weight, head.weight)
    assert torch.equal(again.bias, head.bias)
    assert again.to_bytes() == head.to_bytes()
    assert again.digest == head.digest


def rewritten(data, change):
    (length,) = struct.unpack_from("<Q", data)
    outer = json.loads(data[8 : 8 + length])
    inner = json.loads(outer["__metadata__"]["saecli"])
    change(outer, inner)
    outer["__metadata__"]["saecli"] = json.dumps(inner)
    head = json.dumps(outer).encode()
    return struct.pack("<Q", len(head)) + head + data[8 + length :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"no probe at all",
        lambda data: data[:-5],
        lambda data: struct.pack("<Q", 2**62) + data[8:],
        lambda data: rewritten(data, lambda o, i: i.update(kind="dictionary")),
        lambda data: rewritten(data, lambda o, i: i.update(format=2)),
        lambda data: rewritten(data, lambda o, i: i.update(task="regression")),
        lambda data: rewritten(data, lambda o, i: i.update(task="segmentation")),
        lambda data: rewritten(data, lambda o, i: i.update(classes=["ant", "bee"])),
        lambda data: rewritten(data, lambda o, i: i.update(classes=["ant", "ant", "bee"])),
        lambda data: rewritten(data, lambda o, i: i.update(classes=3)),
        lambda data: rewritten(data, lambda o, i: i.pop("backbone_digest")),
        lambda data: rewritten(data, lambda o, i: o.update(scale=o.pop("bias"))),
        lambda data: data[:-4] + np.float32(np.nan).tobytes(),
    ],
)
def test_damaged_bytes_are_refused_in_one_sentence(damage):
    with pytest.raises(SaecliError):
        Probe.from_bytes(damage(probe().to_bytes()))


def test_a_probe_refuses_another_backbone():
    @dataclass
    class Named:
        name: str
        digest: str

    probe().check_fits(Named("mine", "d" * 64))
    with pytest.raises(SaecliError, match="'other'"):
        probe().check_fits(Named("other", "e" * 64))


def test_a_probe_refuses_an_input_of_another_width():
    with pytest.raises(SaecliError, match="reads 5 values and the backbone gives 4"):
        probe(width=5).logits(final())


def test_an_unknown_class_offers_the_nearest():
    with pytest.raises(SaecliError, match=r"'bea'.*bee"):
        probe().index("bea")
    assert probe().index("bee") == 1


def test_zero_shot_needs_an_image_embedding():
    with pytest.raises(SaecliError, match="CLIP"):
        read(final(embedding=0), "embedding")


class Texts:
    """A text tower that maps each text to a fixed vector."""

    name, digest = "texts", "d" * 64

    def encode_text(self, texts):
        rows = [np.random.default_rng(list(text.encode())).normal(size=6) for text in texts]
        return torch.from_numpy(np.stack(rows)).float()


def test_zero_shot_logits_are_scaled_cosines_with_the_mean_of_the_templates():
    head = zero_shot(
        Texts(), ["ant", "bee"], logit_scale=50.0, templates=["a photo of a {}", "one {} ({})"]
    )
    rows = {}
    for name in ("ant", "bee"):
        vectors = Texts().encode_text([f"a photo of a {name}", f"one {name} ({name})"]).numpy()
        mean = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(0)
        rows[name] = mean / np.linalg.norm(mean)
    image = final().embedding.numpy()
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    expected = 50 * image @ np.stack([rows["ant"], rows["bee"]]).T
    np.testing.assert_allclose(head.logits(final()).numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("templates", [[], ["a photo"]])
def test_a_template_needs_a_place_for_the_class(templates):
    with pytest.raises(SaecliError, match="template"):
        zero_shot(Texts(), ["ant", "bee"], logit_scale=1.0, templates=templates)
