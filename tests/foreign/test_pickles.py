"""Pickles are read and never run; archives hold what torch.save writes, or are refused."""

import gzip
import io
import os
import pickle
import zipfile

import pytest
import torch

from saecli.errors import SaecliError
from saecli.foreign.content import fields, open_content, state_dict
from saecli.foreign.pickles import Inert


class Calls:
    """Pickled, it asks the reader to call a function."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


@pytest.mark.parametrize("suffix", ["pt", "pth", "pkl", "pkl.gz", "old"])
@pytest.mark.parametrize("how", ["function", "eval", "attribute"])
def test_nothing_that_a_pickle_names_is_called(tmp_path, suffix, how):
    trace = tmp_path / "called"
    hostile = {
        "function": Calls(os.mkdir, str(trace)),
        "eval": Calls(eval, f"__import__('os').mkdir({str(trace)!r})"),
        "attribute": Calls(getattr, "text", "upper"),
    }[how]
    saved = {"cfg": hostile, "state_dict": {"W_enc": torch.ones(2, 3)}}
    path = tmp_path / f"sae.{suffix}"
    if suffix == "pkl":
        path.write_bytes(pickle.dumps(saved))
    elif suffix == "pkl.gz":
        path.write_bytes(gzip.compress(pickle.dumps(saved)))
    elif suffix == "old":
        path = tmp_path / "sae.bin"
        torch.save(saved, path, _use_new_zipfile_serialization=False)
    else:
        torch.save(saved, path)
    root = open_content(path).root
    assert not trace.exists()
    assert isinstance(root["cfg"], Inert)
    assert torch.equal(root["state_dict"]["W_enc"], torch.ones(2, 3))


class Settings:
    """A class of another project, which isn't there when the file is read."""

    def __init__(self):
        self.k, self.nested = 4, {"deep": [1, 2]}


def test_fields_of_unknown_objects_are_read(tmp_path):
    torch.save({"cfg": Settings()}, tmp_path / "sae.pt")
    found = fields(open_content(tmp_path / "sae.pt").root["cfg"])
    assert (found["k"], found["nested"]) == (4, {"deep": [1, 2]})


@pytest.mark.parametrize("old", [False, True])
def test_tensors_come_out_as_torch_reads_them(tmp_path, old):
    base = torch.arange(24.0)
    saved = {
        "whole": base,
        "view": base.view(4, 6).T[1:3],
        "half": torch.randn(3).half(),
        "brain": torch.randn(3).bfloat16(),
        "count": torch.tensor(7, dtype=torch.int32),
        "empty": torch.zeros(0, 5),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
    }
    path = tmp_path / "sae.bin"
    torch.save(saved, path, _use_new_zipfile_serialization=not old)
    found = state_dict(open_content(path).root)
    expected = torch.load(path, weights_only=True)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


def test_a_module_saved_whole_has_its_state_dicts_names(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    torch.save(module, tmp_path / "module.pt")
    found = open_content(tmp_path / "module.pt").tensors()
    assert found.keys() == module.state_dict().keys()


def archive(tmp_path, change):
    """An archive of torch.save's with its records changed."""
    buffer = io.BytesIO()
    torch.save({"W_enc": torch.ones(64, 64)}, buffer)
    path = tmp_path / "sae.pt"
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            change(new, info.filename, old.read(info))
    return path


def compressed(new, name, data):
    new.writestr(name, data, compress_type=zipfile.ZIP_DEFLATED)


def a_bomb(new, name, data):
    big = bytes(50_000_000) if "/data/" in name else data
    new.writestr(name, big, compress_type=zipfile.ZIP_DEFLATED)


def leaving(new, name, data):
    new.writestr("../outside" if "/data/" in name else name, data)


def absolute(new, name, data):
    new.writestr("/etc/passwd" if "/data/" in name else name, data)


def short(new, name, data):
    new.writestr(name, data[:100] if "/data/" in name else data)


def without_numbers(new, name, data):
    if "/data/" not in name:
        new.writestr(name, data)


def other_end(new, name, data):
    new.writestr(name, b"big" if name.endswith("byteorder") else data)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (compressed, "compressed records"),
        (a_bomb, "compressed records"),
        (leaving, "leaves it"),
        (absolute, "leaves it"),
        (short, "fewer numbers"),
        (without_numbers, "lacks the numbers"),
        (other_end, "big-endian"),
    ],
)
def test_archives_that_torch_does_not_write_are_refused(tmp_path, change, told):
    with pytest.raises(SaecliError, match=told):
        open_content(archive(tmp_path, change))


def test_a_gzip_bomb_is_refused(tmp_path):
    path = tmp_path / "sae.pkl.gz"
    path.write_bytes(gzip.compress(bytes(60_000_000)))
    with pytest.raises(SaecliError, match="unpacks to more than"):
        open_content(path)


def test_a_tensor_larger_than_its_numbers_is_refused(tmp_path):
    expanded = torch.ones(1).expand(10**9)
    torch.save({"W_enc": expanded}, tmp_path / "sae.pt")
    assert (tmp_path / "sae.pt").stat().st_size < 10_000
    with pytest.raises(SaecliError, match="damaged"):
        open_content(tmp_path / "sae.pt")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("name", ["sae.pt", "sae.bin", "sae.safetensors", "sae.pkl.gz"])
def test_a_file_that_was_cut_short_is_refused(tmp_path, name, share):
    from safetensors.torch import save_file

    state = {"W_enc": torch.randn(40, 40)}
    path = tmp_path / name
    if name.endswith("safetensors"):
        save_file(state, path)
    elif name.endswith("gz"):
        path.write_bytes(gzip.compress(pickle.dumps(state)))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=name == "sae.pt")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(SaecliError, match=r"cut short|damaged|lacks the numbers|fewer numbers"):
        open_content(path)


@pytest.mark.parametrize("data", [b"", b"x", b"{", b"PK\x03\x04", b"\x80\x02.", b"garbage " * 99])
def test_garbage_is_refused(tmp_path, data):
    (tmp_path / "sae.pt").write_bytes(data)
    with pytest.raises(SaecliError):
        open_content(tmp_path / "sae.pt")
