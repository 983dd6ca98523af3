"""Hub names: from a hub that answers, from the cache, and without a network."""

import hashlib
import json
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest

from saecli.backbones import load, load_untrained
from saecli.errors import SaecliError

REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The few answers of the Hugging Face hub that a download needs, over folders ORG/NAME."""

    root: Path

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        self.server.requests.append(self.path)
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            folder = self.root / parts[2] / parts[3]
            if not folder.is_dir():
                return self.send(404, b"", body, {"X-Error-Code": "RepoNotFound"})
            files = sorted(folder.iterdir())
            if parts[4] == "tree":
                answer: object = [
                    {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": f.name}
                    for f in files
                ]
            else:
                siblings = [{"rfilename": file.name} for file in files]
                answer = {"id": "/".join(parts[2:4]), "sha": REVISION, "siblings": siblings}
            return self.send(200, json.dumps(answer).encode(), body, {})
        data = (self.root / parts[0] / parts[1] / parts[-1]).read_bytes()
        tag = hashlib.sha256(data).hexdigest()
        return self.send(200, data, body, {"ETag": f'"{tag}"', "X-Repo-Commit": REVISION})

    def send(self, status: int, data: bytes, body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch, tiny_clip_folder, tiny_dinov2_folder):
    """A hub with one model of each family, and an empty local cache."""
    root = tmp_path / "hub"
    shutil.copytree(tiny_clip_folder, root / "org" / "clip")
    shutil.copytree(tiny_dinov2_folder, root / "org" / "dinov2")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Hub,), {"root": root}))
    server.requests = []
    server.root = root
    threading.Thread(target=server.serve_forever, daemon=True).start()
    use_hub(monkeypatch, f"http://127.0.0.1:{server.server_port}", tmp_path / "cache")
    yield server
    server.shutdown()
    server.server_close()


def use_hub(monkeypatch, endpoint: str, cache: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")


NAMES = {"dinov2:org/dinov2": "tiny_dinov2_folder", "clip:hf-hub:org/clip": "tiny_clip_folder"}


@pytest.mark.parametrize("name", NAMES)
def test_a_hub_model_is_that_of_the_folder_it_was_uploaded_from(hub, name, request):
    folder = request.getfixturevalue(NAMES[name])
    backbone = load(name, device="cpu")
    assert backbone.digest == load(f"{backbone.family}:{folder}", device="cpu").digest
    assert backbone.source == name.partition(":")[2]


@pytest.mark.parametrize("name", NAMES)
def test_a_cached_model_needs_no_hub(hub, name, monkeypatch, tmp_path):
    digest = load(name, device="cpu").digest
    n_requests = len(hub.requests)
    assert load(name, device="cpu").digest == digest
    assert len(hub.requests) == n_requests
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")
    assert load(name, device="cpu").digest == digest


def test_a_cache_without_the_preprocessor_is_not_enough(hub, monkeypatch, tmp_path):
    load("dinov2:org/dinov2", device="cpu")
    (cached,) = (tmp_path / "cache").rglob("snapshots/*/preprocessor_config.json")
    cached.unlink()
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")
    with pytest.raises(SaecliError, match=r"isn't whole in .* local cache"):
        load("dinov2:org/dinov2", device="cpu")


def test_pickled_weights_are_fetched_where_there_are_no_others(hub):
    import torch
    from safetensors.torch import load_file

    expected = load("dinov2:org/dinov2", device="cpu").digest
    folder = shutil.copytree(hub.root / "org" / "dinov2", hub.root / "org" / "older")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert load("dinov2:org/older", device="cpu").digest == expected


def test_a_tag_is_fetched_from_the_hub(hub, monkeypatch, tiny_clip_folder):
    import open_clip.factory
    import open_clip.pretrained

    config = json.loads((tiny_clip_folder / "open_clip_config.json").read_text())["model_cfg"]
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Tiny-B-8", config)
    monkeypatch.setitem(
        open_clip.pretrained._PRETRAINED, "Tiny-B-8", {"tag": {"hf_hub": "org/clip/"}}
    )
    backbone = load("clip:Tiny-B-8/tag", device="cpu")
    assert backbone.digest == load(f"clip:{tiny_clip_folder}", device="cpu").digest


def test_a_hub_model_with_the_stock_tokenizer_reads_text(hub, tmp_path, monkeypatch):
    folder = hub.root / "org" / "clip"
    config = json.loads((folder / "open_clip_config.json").read_text())
    text = config["model_cfg"]["text_cfg"]
    for key in ("hf_tokenizer_name", "tokenizer_kwargs"):
        del text[key]
    text["vocab_size"] = 49408
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    backbone = load_untrained("clip:hf-hub:org/clip", 0, device="cpu")
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")
    assert backbone.encode_text(["sand", "water"]).shape == (2, 16)


def test_a_model_that_the_hub_lacks_is_one_sentence(hub):
    for name in ("dinov2:org/nothing", "clip:hf-hub:org/nothing"):
        with pytest.raises(SaecliError, match=r"nor a model that the Hugging Face hub shows"):
            load(name, device="cpu")


def test_a_model_without_weights_is_one_sentence(hub):
    (hub.root / "org" / "dinov2" / "model.safetensors").unlink()
    with pytest.raises(SaecliError, match=r"gives config\.json and model.*of 'org/dinov2'"):
        load("dinov2:org/dinov2", device="cpu")


def test_the_untrained_twin_fetches_no_weights(hub):
    for name in NAMES:
        load_untrained(name, 0, device="cpu")
    assert not [path for path in hub.requests if "safetensors" in path]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("dinov2:facebook/dinov2-base", "dinov2:FOLDER"),
        ("clip:ViT-B-16/openai", "clip:FOLDER"),
        ("clip:hf-hub:org/name", "clip:FOLDER"),
    ],
)
def test_without_a_network_a_hub_name_fails_at_once_and_tells_of_folders(no_network, name, form):
    start = time.monotonic()
    with pytest.raises(SaecliError) as caught:
        load(name, device="cpu")
    assert time.monotonic() - start < 10
    sentence = str(caught.value)
    assert "can't be reached" in sentence
    assert form in sentence
    assert "\n" not in sentence
    assert name.partition(":")[2] in sentence


@pytest.mark.parametrize("name", ["dinov2:nowhere", "dinov2:/no/such", "clip:hf-hub:a b"])
def test_what_can_be_no_hub_name_is_a_missing_folder(no_network, name):
    with pytest.raises(SaecliError, match="neither a folder nor a hub name"):
        load(name, device="cpu")
