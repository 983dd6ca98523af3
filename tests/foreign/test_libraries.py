"""Files that the libraries wrote compute here what the libraries answered.

`python -m tests.foreign.writers` writes them, with each library's latents and reconstruction of
some patches beside. Decoder rows have lengths from 0.3 to 2.5 and every bias is away from 0.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.foreign.content import open_content
from saecli.foreign.formats import read_source
from saecli.foreign.mapping import convert, prove
from saecli.foreign.said import Said
from tests.dictionaries import IDENTITY

DATA = Path(__file__).resolve().parents[1] / "data" / "foreign"

SAID = {
    "overcomplete/relu/state.pt": Said(activation="relu"),
    "overcomplete/batch-norm/state.pt": Said(activation="relu"),
    "overcomplete/identity/state.pt": Said(activation="relu", decoder_norm="identity"),
    "overcomplete/max-l2/state.pt": Said(k=4, decoder_norm="max_l2"),
    "overcomplete/topk/state.pt": Said(k=4),
    "overcomplete/batchtopk/state.pt": Said(
        activation="batchtopk",
        threshold=float((DATA / "overcomplete/batchtopk/threshold.txt").read_text()),
    ),
    "overcomplete/archetypal/state.pt": Said(activation="topk", k=4),
    "overcomplete/tied/state.pt": Said(activation="relu"),
    "overcomplete/untied/state.pt": Said(activation="relu"),
}
REFUSED = {
    "overcomplete/layer-norm/state.pt": "normalises each patch",
    "overcomplete/layer-norm/module.pth": "normalises each patch",
    "overcomplete/deep/state.pt": "a deeper encoder",
    "overcomplete/deep/module.pth": "a deeper encoder",
    "saelens/abstopk": "an? abstopk",
    "saelens/transcoder": "a transcoder",
    "sparsify/transcoder/layers.5": "a transcoder",
    "sparsify/skip/layers.5": "a skip connection",
    "sparsify/groupmax/layers.5": "groupmax",
    "vit-prisma/tanh-relu": "tanh-relu",
}
LEFT_OPEN = {"overcomplete/layer-norm/state.pt", "overcomplete/deep/state.pt"}


def files() -> list[str]:
    found = []
    for expected in sorted(DATA.glob("*/**/expected.npz")):
        folder = expected.parent
        if folder.parts[len(DATA.parts)] == "overcomplete":
            found += [f"{folder.relative_to(DATA)}/{name}" for name in ("state.pt", "module.pth")]
        else:
            found.append(str(folder.relative_to(DATA)))
    return found


READ = [name for name in files() if name not in REFUSED]


def source_of(name: str):
    return read_source(open_content(DATA / name), SAID.get(name, Said()))


@pytest.mark.parametrize("name", READ)
def test_latents_and_reconstruction_are_the_librarys(name):
    source = source_of(name)
    dictionary = convert(source, IDENTITY)
    prove(source, dictionary)
    folder = DATA / name
    answers = np.load((folder if folder.is_dir() else folder.parent) / "expected.npz")
    x = torch.from_numpy(answers["x"])
    norms = 1 if source.reports_by_norm else source.norms().numpy()
    assert (answers["f"] != 0).sum() > len(x)
    f = dictionary.encode(x)
    np.testing.assert_allclose(f.numpy(), answers["f"] * norms, rtol=0, atol=1e-5 * np.ptp(f))
    rebuilt = dictionary.decode(f, x).numpy()
    np.testing.assert_allclose(
        rebuilt, answers["x_hat"], rtol=0, atol=1e-5 * max(1, np.abs(rebuilt).max())
    )
    lengths = torch.linalg.vector_norm(dictionary.W_dec, dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_what_computes_something_else_is_refused_by_name(name):
    said = Said(activation="relu") if name in LEFT_OPEN else Said()
    with pytest.raises(SaecliError, match=REFUSED[name]):
        read_source(open_content(DATA / name), said)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("saelens/standard", 5),
        ("saelens/before-6", 5),
        ("sparsify/topk/layers.5", 5),
        ("dictionary-learning/topk", 5),
        ("vit-prisma/topk-none", 5),
    ],
)
def test_the_layer_is_read_where_the_file_states_it(name, layer):
    assert source_of(name).attachment.layer == layer


def test_matryoshka_widths_survive():
    assert source_of("dictionary-learning/matryoshka").prefixes == (4, 10, 20)
    assert source_of("saelens/matryoshka").prefixes == (6, 12, 20)


def test_every_format_has_files_of_its_library():
    assert {name.split("/")[0] for name in READ} == {
        "dictionary-learning",
        "overcomplete",
        "saelens",
        "sparsify",
        "vit-prisma",
    }
