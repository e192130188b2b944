"""A plain transcription of the equations of MFM.md 1.5 and 3.1: one model, one item at a time, one step at a time.

It shares no code with the package: parameters come as a mapping name -> tensor of one member, items as lists of
steps that hold data. It is slow and obvious; the package is held against it in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor


def affine(p: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ p[f"{name}.weight_KIO"] + p[f"{name}.bias_K1O"][0]


def two_layers(p: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return affine(p, f"{name}.second", torch.relu(affine(p, f"{name}.first", x)))


def lstm_cell(w_in: Tensor, w_rec: Tensor, bias: Tensor, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    gates = x @ w_in + h @ w_rec + bias
    i, f, o, g = gates.chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def lstm_states(p: dict[str, Tensor], name: str, steps: list[Tensor | None]) -> list[tuple[Tensor, Tensor]]:
    """(h, c) after every step; a step without data (None) changes nothing."""
    w_in, w_rec, bias = p[f"{name}.input_KIG"], p[f"{name}.recurrent_KHG"], p[f"{name}.bias_K1G"][0]
    h = c = torch.zeros(w_rec.shape[0], dtype=w_rec.dtype)
    states = []
    for x in steps:
        if x is not None:
            h, c = lstm_cell(w_in, w_rec, bias, x, h, c)
        states.append((h, c))
    return states


def mfn(p: dict[str, Tensor], item: dict[str, list[Tensor | None]]) -> Tensor:
    """Encoding [h_T; u_T] of one item; the modalities' lists have one entry per step."""
    states = {m: lstm_states(p, f"encoder.lstms.{m}", steps) for m, steps in item.items()}
    num_steps = len(next(iter(item.values())))
    memory = torch.zeros(p["encoder.candidate.second.bias_K1O"].shape[-1], dtype=torch.float64)
    for t in range(num_steps):
        if all(steps[t] is None for steps in item.values()):
            continue
        now = torch.cat([states[m][t][1] for m in item])
        before = torch.cat([states[m][t - 1][1] for m in item]) if t > 0 else torch.zeros_like(now)
        window = torch.cat([before, now])
        attended = torch.softmax(two_layers(p, "encoder.attention", window), dim=0) * window
        proposed = torch.tanh(two_layers(p, "encoder.candidate", attended))
        both = torch.cat([attended, memory])
        retain = torch.sigmoid(two_layers(p, "encoder.retain", both))
        update = torch.sigmoid(two_layers(p, "encoder.update", both))
        memory = retain * memory + update * proposed
    return torch.cat([*(states[m][-1][0] for m in item), memory])


def side_by_side(item: dict[str, list[Tensor | None]], widths: dict[str, int]) -> list[Tensor | None]:
    """Features of all modalities at every step; a missing modality is zeros, a step without any is None."""
    steps: list[Tensor | None] = []
    for t in range(len(next(iter(item.values())))):
        parts = [item[m][t] for m in item]
        if all(x is None for x in parts):
            steps.append(None)
        else:
            filled = [torch.zeros(widths[m], dtype=torch.float64) if x is None else x for m, x in zip(item, parts)]
            steps.append(torch.cat(filled))
    return steps


def factor(p: dict[str, Tensor], name: str, z: Tensor, kind: str) -> Tensor:
    if kind == "identity":
        return z
    if kind == "linear":
        return affine(p, f"{name}.linear", z)
    return torch.relu(two_layers(p, f"{name}.layers", z))


def decode(p: dict[str, Tensor], name: str, g: Tensor, num_steps: int, kind: str) -> list[Tensor]:
    w_in, w_rec, bias = p[f"{name}.lstm.input_KIG"], p[f"{name}.lstm.recurrent_KHG"], p[f"{name}.lstm.bias_K1G"][0]
    h = c = torch.zeros_like(g)
    x, out = g, []
    for _ in range(num_steps):
        h, c = lstm_cell(w_in, w_rec, bias, x, h, c)
        out.append(affine(p, f"{name}.out", h))
        x = g if kind == "every_step" else h
    return out


def kernel_value(kind: str, a: Tensor, b: Tensor) -> Tensor:
    d = len(a)
    if kind == "mmd_official":
        return torch.exp(-((a - b) ** 2).mean() / d)
    if kind == "mmd_2d":
        return torch.exp(-((a - b) ** 2).sum() / (2 * d))
    return 2 * d / (2 * d + ((a - b) ** 2).sum())


def mmd(kind: str, z: list[Tensor], sample: list[Tensor]) -> Tensor:
    n = len(z)
    total = torch.zeros((), dtype=torch.float64)
    for i in range(n):
        for j in range(n):
            total = total + kernel_value(kind, sample[i], sample[j]) + kernel_value(kind, z[i], z[j])
            total = total - 2 * kernel_value(kind, sample[i], z[j])
    return total / n**2


def kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, diag(sd^2)) || N(0, I)), summed over the entries."""
    total = torch.zeros((), dtype=torch.float64)
    for mu, v in zip(mean, log_variance):
        sd = torch.exp(v / 2)
        total = total - torch.log(sd) + (sd**2 + mu**2) / 2 - 0.5
    return total
