"""Tiny models of both families in local folders, and the devices to try them on."""

from pathlib import Path

import pytest
import torch

from tests.models import dinov2_preprocessor, write_tiny_clip, write_tiny_dinov2

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def tiny_clip_folder(tmp_path_factory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("models") / "clip")


@pytest.fixture(scope="session")
def tiny_dinov2_folder(tmp_path_factory) -> Path:
    return write_tiny_dinov2(
        tmp_path_factory.mktemp("models") / "dinov2", preprocessor=dinov2_preprocessor()
    )


@pytest.fixture(scope="session")
def tiny_registers_folder(tmp_path_factory) -> Path:
    return write_tiny_dinov2(
        tmp_path_factory.mktemp("models") / "registers",
        registers=4,
        preprocessor=dinov2_preprocessor(),
    )
