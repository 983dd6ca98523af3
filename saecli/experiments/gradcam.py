"""Grad-CAM: where a network looks, which tells no concept and tests nothing.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (arXiv 1610.02391), equations 1 and 2, with a block's patch tokens in the place of a
convolution's feature maps: a token's d_model values are its channels, the grid its positions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from saecli.backbones.protocol import LayerOutput
from saecli.experiments.runner import Bench


def grad_cam(
    bench: Bench, output: LayerOutput, target: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float64]:
    """Weigh a layer's channels by the slope of a class's logit along them.

    ``α_k = mean over patches of ∂y/∂A_k`` and ``map = ReLU(Σ_k α_k A_k)``, y the logit of the
    bench's class A before the softmax; in segmentation its sum over some patches (Vinogradova et
    al. 2020, arXiv 2002.11434, section 3).

    Args:
        bench: network, probe and class; its dictionary only says at which layer.
        output: pictures at that layer.
        target: (b, P), the patches whose logits are summed; None for a probe of whole pictures,
            or for all patches.

    Returns:
        (b, P), not negative; only the proportions within a picture mean something.
    """
    patches = output.patches.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = bench.logits(output.with_patches(patches))[..., bench.contrast.a]
        if target is not None:
            logits = logits * torch.from_numpy(target).to(logits.device)
        (gradient,) = torch.autograd.grad(logits.sum(), patches)
    with torch.no_grad():
        weights = gradient.mean(dim=1, keepdim=True)  # (b, 1, d_model)
        found = (weights * patches).sum(dim=-1).relu()
    as_array: npt.NDArray[np.float64] = found.cpu().double().numpy()
    return as_array
