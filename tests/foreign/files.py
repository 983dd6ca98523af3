"""Files of formats whose libraries aren't at hand, laid out as those write them, and formulas.

The formulas are the projects' own, written out in NumPy, patch by patch where that is plainer.
"""

import json
from pathlib import Path

import numpy as np
import torch

D, S = 8, 20


def weights(seed: int = 0, d: int = D, s: int = S) -> dict[str, torch.Tensor]:
    """W_enc (d, s), b_enc, W_dec (s, d) with rows of lengths 0.3 to 2.5, b_dec."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.linspace(0.3, 2.5, s)[:, None]
    return {
        "W_enc": torch.randn(d, s, generator=generator),
        "b_enc": torch.randn(s, generator=generator) / 3,
        "W_dec": torch.randn(s, d, generator=generator) * lengths,
        "b_dec": torch.randn(d, generator=generator),
    }


def write_saev(path: Path, header: dict, state: dict[str, torch.Tensor]) -> Path:
    """A line of JSON, then what torch.save writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(json.dumps(header).encode() + b"\n")
        torch.save(state, file)
    return path


def saev_header(schema: int | None, kind: str = "Relu", k: int = 4) -> dict:
    """The first line of a file of a schema."""
    params = {} if kind == "Relu" else {"top_k": k}
    if schema is None:
        return {"d_vit": D, "exp_factor": 2, "sparsity_coeff": 4e-4, "n_reinit_samples": 10}
    if schema == 1:
        return {"schema": 1, "cls": kind, "cfg": {"d_vit": D, "exp_factor": 2, **params}}
    activation = {"cls": kind, "params": params}
    return {"schema": schema, "cfg": {"d_model": D, "d_sae": S, "activation": activation}}


def in_numpy(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.double().numpy() for name, value in state.items()}


def keep_top(a: np.ndarray, k: int, ranked: np.ndarray | None = None) -> np.ndarray:
    """The k entries of each row that rank highest, the rest 0; their values are untouched."""
    f = np.zeros_like(a)
    for row, (values, scores) in enumerate(zip(a, a if ranked is None else ranked, strict=True)):
        best = sorted(range(len(values)), key=lambda j: (-scores[j], j))[:k]
        f[row, best] = values[best]
    return f
