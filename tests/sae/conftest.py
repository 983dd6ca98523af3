"""The devices that training is tested on."""

import pytest
import torch

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture(params=DEVICES)
def device(request) -> str:
    """The CPU, and a GPU where there is one."""
    return request.param
